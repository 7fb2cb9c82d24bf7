"""Write data/sample: the generated sample of the task, in the raw layout."""

from pseudolabel.core.errors import plain_errors
from pseudolabel.core.project import SAMPLE
from pseudolabel.core.workdir import output_lock
from pseudolabel.params.loading import load_params
from pseudolabel.raw.sample import SAMPLES

if __name__ == "__main__":
    with plain_errors():
        params = load_params()
        with output_lock(SAMPLE):
            SAMPLES[params.task](SAMPLE, params.sample)
