"""All predictions of a model, in one record."""

from pseudolabel.core.records import Annotations


def find_all(model, images):
    return Annotations.concatenate([batch.predictions for batch in model.predict(images)])


def contents(folder):
    """The content of each file of a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
