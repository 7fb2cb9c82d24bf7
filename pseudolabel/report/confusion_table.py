"""Tables of confusions: gold in rows, predictions in columns, shaded by their share."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from pseudolabel.report.html_parts import paragraph, wide

_SHADES = 10
"""Shades of a cell; the style sheet has one class for each."""
_MOST_ROWS = 25
"""Rows of a table: those with the most confusions."""


def confusion_table(
    counts: NDArray[np.int64], rows: Sequence[str], columns: Sequence[str]
) -> list[str]:
    """Return a table of counts, each with its share of the row.

    Args:
        counts: (r, c) counts.
        rows: the names of the rows.
        columns: the names of the columns; the first ones are those of the rows.
    """
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    wrong = counts.sum(axis=1) - np.diagonal(counts)[: len(rows)]
    shown = np.sort(np.argsort(-wrong, kind="stable")[:_MOST_ROWS])
    # Columns after those of the rows are not classes, such as "not found": they always stay.
    kept = [*shown.tolist(), *range(len(rows), len(columns))]
    head = "".join(f'<th scope="col">{escape(columns[index])}</th>' for index in kept)
    lines = [f'<tr><th scope="col">gold \\ predicted</th>{head}</tr>']
    for row in shown.tolist():
        cells = "".join(
            f'<td class="number shade{round(float(shares[row, index]) * (_SHADES - 1))}" '
            f'title="{shares[row, index]:.1%}">{int(counts[row, index]):,}</td>'
            for index in kept
        )
        lines.append(f'<tr><th scope="row">{escape(rows[row])}</th>{cells}</tr>')
    left_out = len(rows) - len(shown)
    text = f"{left_out} further classes are confused less often." if left_out else ""
    table = wide('<table class="confusion">' + "\n".join(lines) + "</table>")
    return [table, *([paragraph(text)] if text else [])]
