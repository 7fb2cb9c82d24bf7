"""Errors of classification: confused classes, and the mistakes that the model is most sure of."""

from __future__ import annotations

import numpy as np

from pseudolabel.core.columns import positions
from pseudolabel.formats.shards import read_probabilities
from pseudolabel.report.classes import top_classes
from pseudolabel.report.confusion_table import confusion_table
from pseudolabel.report.error_report import MOST_SHOWN, ErrorReport, Scored
from pseudolabel.report.gallery import Gallery, panel
from pseudolabel.report.html_parts import heading, paragraph
from pseudolabel.report.object_errors import AUDIT_PAGE


def describe_class_errors(scored: Scored) -> ErrorReport:
    """Return the errors of a classifier on a split."""
    found = read_probabilities(scored.outcome)
    truth = scored.truth
    names = truth.class_names
    rows = positions(found.image_ids, truth.annotations.image_ids)
    true = truth.class_indices[rows]
    guesses = np.where(found.values.any(axis=1), found.values.argmax(axis=1), len(names))
    width = len(names) + 1
    cells = np.bincount(true * width + guesses, minlength=len(names) * width)
    table = confusion_table(cells.reshape(-1, width), names, [*names, "no prediction"])
    wrong = np.flatnonzero(guesses != true)
    text = f"{len(wrong):,} of {len(true):,} images have another class than in gold."
    parts = [heading("Confusions"), paragraph(f"Images of gold by the class predicted. {text}")]
    gallery = Gallery(
        f"worst-{scored.split}",
        "Most confident mistakes",
        "The images whose wrong class has the highest probability. Where the model is sure, gold "
        "may be wrong: dvc repro extras/dvc.yaml:audit",
        (AUDIT_PAGE, "The audit of gold, if it has been made"),
    )
    scores = found.values.max(axis=1)
    places = positions(found.image_ids, truth.images.ids)
    for row in wrong[np.argsort(-scores[wrong], kind="stable")][:MOST_SHOWN].tolist():
        caption = f"gold: {names[true[row]]}"
        panels = [panel("prediction", bars=top_classes(found.values[row]))]
        gallery.add(truth.images, int(places[row]), caption, panels)
    return ErrorReport([*parts, *table], [gallery])
