"""All predictions of a model, in one record."""

from pseudolabel.core.records import Annotations


def find_all(model, images):
    return Annotations.concatenate([batch.predictions for batch in model.predict(images)])
