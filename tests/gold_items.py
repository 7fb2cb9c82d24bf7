"""Gold and silver as training sees them: images and labels after all transforms."""

from mmengine.registry import DATASETS, init_default_scope

from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.models import PACKAGES
from pseudolabel.models.initial_weights import InitialWeights
from pseudolabel.training.mmengine_config import build_config
from pseudolabel.training.random_numbers import Turn
from pseudolabel.training.sources import TrainingData


class Rows:
    """The training images of a data set by their rows; training takes them by their turns."""

    def __init__(self, dataset):
        self.dataset, self.datasets = dataset, dataset.datasets

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, row):
        return self.dataset[Turn(row, row)]


def training_dataset(data, **changes):
    """All training images of a tiny task, gold first."""
    sources = TrainingData.in_folder(data.prepared)
    categories = SplitFolder(sources.gold).read().categories
    config = build_config(
        sources, categories, data.root, data.params(**changes), InitialWeights(None)
    )
    init_default_scope(PACKAGES[data.task])
    return Rows(DATASETS.build(config.train_dataloader.dataset))


def gold_dataset(data, **changes):
    """The gold images of a tiny task."""
    return training_dataset(data, **changes).datasets[0]
