"""Parts of the report's pages as HTML: every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_POLICY = (
    "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing but the files of the report: no network, no script inside of a page."""
_SHORT = 20
"""Characters of a text that is not broken into lines."""
_COMMON_SCRIPTS = ("site.js", "assets/common.js")


def page(
    title: str,
    current: str,
    links: Sequence[tuple[str, str]],
    parts: Iterable[str],
    scripts: Sequence[str] = (),
) -> str:
    """Return a page.

    Args:
        title: its title.
        current: its file.
        links: the file and the name of every page, in order.
        parts: HTML of its content.
        scripts: paths of its scripts, in the order in which they run.
    """
    items = []
    for file, name in links:
        mark = ' aria-current="page"' if file == current else ""
        items.append(f'<a href="{escape(file)}"{mark}>{escape(name)}</a>')
    tags = [
        f'<script src="{escape(path)}" defer></script>' for path in (*_COMMON_SCRIPTS, *scripts)
    ]
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n"
        '<link rel="icon" href="assets/icon.svg">\n'
        '<link rel="stylesheet" href="assets/style.css">\n'
        f"{chr(10).join(tags)}\n</head>\n<body>\n"
        f'<header><nav aria-label="Pages">{"".join(items)}</nav></header>\n'
        f"<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """Return a heading from plain text."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph from plain text, with a class of the style sheet."""
    mark = f' class="{escape(kind)}"' if kind else ""
    return f"<p{mark}>{escape(text)}</p>"


def link(path: str, text: str) -> str:
    """Return a paragraph with a link."""
    return f'<p><a href="{escape(path)}">{escape(text)}</a></p>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of plain texts; columns of numbers are aligned to the right."""
    rows = list(rows)
    kinds = [
        "number" if _is_numeric([row[place] for row in rows]) else "" for place in range(len(head))
    ]
    marks = [f' class="{kind}"' if kind else "" for kind in kinds]
    cells = [
        f'<th scope="col"{mark}>{escape(cell)}</th>' for cell, mark in zip(head, marks, strict=True)
    ]
    lines = ["<tr>" + "".join(cells) + "</tr>"]
    lines += ["<tr>" + "".join(map(_cell, row, kinds)) + "</tr>" for row in rows]
    return wide("<table>" + "\n".join(lines) + "</table>")


def wide(content: str) -> str:
    """Return HTML in a box of its own that scrolls if the page is too narrow."""
    return f'<div class="wide" tabindex="0">{content}</div>'


def bars(
    head: Sequence[str], rows: Iterable[tuple[str, Sequence[float]]], colours: Sequence[str] = ()
) -> str:
    """Return a table of shares, 0 to 1, as bars: one row per label, one column per series.

    Args:
        head: the names of the columns.
        rows: the label and the shares of each row.
        colours: the colour of each row's bars; the colour of the page without them.
    """
    lines = ["<tr>" + "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head) + "</tr>"]
    for number, (label, shares) in enumerate(rows):
        colour = colours[number] if colours else ""
        cells = "".join(f"<td>{_bar(share, colour)} {share:.1%}</td>" for share in shares)
        lines.append(f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>')
    return wide('<table class="bars">' + "\n".join(lines) + "</table>")


def placeholder(kind: str, source: str) -> str:
    """Return an element that a script fills.

    Args:
        kind: what the script makes of it, a class of the style sheet.
        source: the name of the data that it shows.
    """
    return f'<div class="{escape(kind)}" data-source="{escape(source)}"></div>'


def _swatch(colour: str) -> str:
    """Return a small square of a colour."""
    return (
        '<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">'
        f'<rect width="10" height="10" fill="{escape(colour)}"/></svg>'
    )


def legend(names: Iterable[str], colours: Iterable[str]) -> str:
    """Return a legend: the colour of each name."""
    items = [
        f"<li>{_swatch(colour)}{escape(name)}</li>"
        for name, colour in zip(names, colours, strict=True)
    ]
    return f'<ul class="legend">{"".join(items)}</ul>'


def _bar(share: float, colour: str) -> str:
    fill = f' fill="{escape(colour)}"' if colour else ""
    width = round(100 * min(1.0, max(0.0, share)), 1)
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width}" height="10"{fill}/></svg>'
    )


def _is_numeric(cells: Sequence[str]) -> bool:
    """Return whether a column has numbers alone, apart from empty cells."""
    texts = [text for text in cells if text not in ("", "-")]
    return bool(texts) and all(
        text.replace(",", "").lstrip("+-").rstrip("%").replace(".", "", 1).isdigit()
        for text in texts
    )


def _cell(text: str, kind: str) -> str:
    # Short texts such as intervals and class names stay on one line.
    kind = kind or ("short" if len(text) <= _SHORT else "")
    mark = f' class="{kind}"' if kind else ""
    return f"<td{mark}>{escape(text)}</td>"
