"""Tables of confusions: gold in rows, predictions in columns, shaded by their share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from pseudolabel.report.html_parts import paragraph, wide

_SHADES = 10
"""Shades of a cell; the style sheet has one class for each."""
_MOST_ROWS = 25
"""Rows of a table: those with the most confusions."""


def _as_counts(count: int, share: float) -> tuple[str, str]:
    """Return the text of a cell and its explanation: the count, and its share of the row."""
    return f"{count:,}", f"{share:.1%}"


def as_shares(count: int, share: float) -> tuple[str, str]:
    """Return the text of a cell and its explanation: the share of the row, and the count."""
    return f"{share:.1%}" if count else "0", f"{count:,}"


def confusion_table(
    counts: NDArray[np.int64],
    rows: Sequence[str],
    columns: Sequence[str],
    cell: Callable[[int, float], tuple[str, str]] = _as_counts,
) -> list[str]:
    """Return a table of confusions.

    Args:
        counts: (r, c) counts.
        rows: the names of the rows.
        columns: the names of the columns; the first ones are those of the rows.
        cell: returns the text of a cell and its explanation from a count and its share of the row.
    """
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    wrong = counts.sum(axis=1) - np.diagonal(counts)[: len(rows)]
    shown = np.sort(np.argsort(-wrong, kind="stable")[:_MOST_ROWS])
    # Columns after those of the rows are not classes, such as "not found".
    others = [index for index in range(len(rows), len(columns)) if counts[:, index].any()]
    kept = [*shown.tolist(), *others]
    head = "".join(f'<th scope="col">{escape(columns[index])}</th>' for index in kept)
    lines = [f'<tr><th scope="col">gold \\ predicted</th>{head}</tr>']
    for row in shown.tolist():
        cells = []
        for index in kept:
            share = float(shares[row, index])
            text, explanation = cell(int(counts[row, index]), share)
            shade = f"shade{round(share * (_SHADES - 1))}" if share else "zero"
            cells.append(f'<td class="number {shade}" title="{explanation}">{text}</td>')
        lines.append(f'<tr><th scope="row">{escape(rows[row])}</th>{"".join(cells)}</tr>')
    left_out = len(rows) - len(shown)
    text = f"{left_out} further classes are confused less often." if left_out else ""
    table = wide('<table class="confusion">' + "\n".join(lines) + "</table>")
    return [table, *([paragraph(text)] if text else [])]
