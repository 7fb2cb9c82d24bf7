"""What is said about prepared data, the same on the page of `prepare` and in the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

_ORDER = ("gold", "val", "tuning", "test", "held_out", "pool")
"""The order of splits on a page."""
_MOST_ROWS = 200
"""Rows of a table; report.json has all of them."""


class Html(Protocol):
    """A module that makes HTML from plain texts: pages.html, or report.html_parts."""

    def heading(self, text: str) -> str:
        """Return a heading."""

    def paragraph(self, text: str) -> str:
        """Return a paragraph."""

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
        """Return a table."""

    def bars(self, head: Sequence[str], rows: Iterable[tuple[str, Sequence[float]]]) -> str:
        """Return a table of shares as bars."""


def in_order(splits: Iterable[str]) -> list[str]:
    """Return the names of splits in their order on a page."""
    return sorted(splits, key=_ORDER.index)


def data_tables(report: Mapping[str, Any], html: Html) -> list[str]:
    """Return counts, findings, distributions and removed images as HTML.

    Args:
        report: the values of report.json.
        html: makes the parts.
    """
    head = ["split", "images", "labels"]
    return [
        html.table(head, [_counts(report, split) for split in in_order(report["images"])]),
        *map(html.paragraph, _findings(report)),
        *_distributions(report["distributions"], html),
        *_removed(report["removed"], html),
    ]


def _counts(report: Mapping[str, Any], split: str) -> list[str]:
    labels = "-" if split == "pool" else f"{report['annotations'][split]:,}"
    return [split, f"{report['images'][split]:,}", labels]


def _findings(report: Mapping[str, Any]) -> list[str]:
    """Return what is special about the data."""
    texts = []
    largest = report["largest_deviation"]
    if largest is not None:
        texts.append(
            f'In {largest["split"]}, the share of "{largest["trait"]}: {largest["bin"]}" differs '
            "most from that in all labelled images together: by "
            f"{100 * largest['difference']:.1f} percentage points."
        )
    if report["transductive"]:
        texts.append("The pool contains the test images (prepare.transductive).")
    if report["classes_without_gold"]:
        names = ", ".join(report["classes_without_gold"])
        texts.append(f"Classes without gold labels, which are not learned: {names}.")
    if report["unreadable"]:
        count = len(report["unreadable"])
        texts.append(f"Files of the pool that are not readable images: {count:,}.")
    return texts


def _distributions(distributions: Sequence[Mapping[str, Any]], html: Html) -> list[str]:
    """Return a table of bars for each distribution, with one column per split."""
    text = (
        "The share of each value in each split. Continuous traits are cut at the quartiles of all "
        "labelled images together."
    )
    parts = [html.heading("Distributions"), html.paragraph(text)]
    for distribution in distributions:
        splits = in_order(distribution["shares"])
        columns = [distribution["shares"][split] for split in splits]
        rows = list(zip(distribution["bins"], zip(*columns, strict=True), strict=True))
        # A trait with one value, such as the size of images that are all alike, shows nothing.
        if len(rows) > 1:
            parts.append(html.bars([distribution["trait"], *splits], rows[:_MOST_ROWS]))
    return parts


def _removed(pairs: Sequence[Mapping[str, Any]], html: Html) -> list[str]:
    """Return the images that were removed because of a duplicate in another split."""
    if not pairs:
        return []
    text = (
        f"Images that were removed from their split: {len(pairs):,}. Each has a duplicate in a "
        "split that is measured on, or in gold."
    )
    columns = ["file", "split", "twin", "twin_split", "kind", "distance"]
    head = ["image", "split", "duplicate", "its split", "kind", "differing bits"]
    rows = [[str(pair[column]) for column in columns] for pair in pairs[:_MOST_ROWS]]
    return [html.heading("Removed images"), html.paragraph(text), html.table(head, rows)]
