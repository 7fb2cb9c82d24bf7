"""All that a model finds, in one record."""

from pseudolabel.records import Annotations


def find_all(model, images):
    return Annotations.concatenate([batch.found for batch in model.predict(images)])
