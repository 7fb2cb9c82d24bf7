"""HTML pages in one file: pictures inside, every text escaped, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from pseudolabel.files import written_aside

STYLE = """
body { font: 15px sans-serif; margin: 2em; max-width: 75em; color: #222 }
table { border-collapse: collapse; margin: 0.5em 0 1.5em }
td, th { padding: 0.2em 0.8em 0.2em 0; text-align: left; vertical-align: top }
.number { text-align: right }
.bar { background: #4a7ebb; height: 0.8em; display: inline-block; margin-right: 0.4em }
figure { display: inline-block; margin: 0 0.6em 0.8em 0; vertical-align: top }
figcaption { font-size: 12px; max-width: 20em; overflow-wrap: anywhere }
.key { display: inline-block; width: 0.9em; height: 0.9em; margin: 0 0.3em 0 0.9em }
"""


def write_page(path: Path, title: str, parts: Iterable[str]) -> None:
    """Write a page of HTML parts, aside and then renamed.

    Args:
        path: the file.
        title: as text.
        parts: HTML, as the functions of this module make it.
    """
    body = "\n".join(parts)
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # No script runs and nothing is fetched, whatever a page shows.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )
    with written_aside(path) as aside:
        aside.write_bytes(text.encode("utf-8", "backslashreplace"))


def heading(text: str) -> str:
    """Return a heading."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    ]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def bars(head: Sequence[str], rows: Iterable[tuple[str, Sequence[float]]]) -> str:
    """Return a table of shares, 0 to 1, as bars: a row for each label, a column for each series."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for label, shares in rows:
        cells = "".join(
            f'<td><span class="bar" style="width:{100 * share:.0f}px"></span>{share:.1%}</td>'
            for share in shares
        )
        lines.append(f"<tr><td>{escape(label)}</td>{cells}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def ranges(caption: str, rows: Sequence[tuple[str, tuple[float, float, float] | None]]) -> str:
    """Return a chart of quartiles: a bar from the first to the third, a dot at the median.

    Args:
        caption: as text.
        rows: label and quartiles of each bar, from left to right; None leaves a gap.
    """
    height, wide = 120, max(3.0, min(16.0, 900 / max(1, len(rows))))
    known = [value for _, quartiles in rows if quartiles for value in quartiles]
    low, high = min(known, default=0.0), max(known, default=1.0)
    scale = height / (high - low or 1.0)
    shapes = []
    for place, (label, quartiles) in enumerate(rows):
        if quartiles is None:
            continue
        first, median, third = (height - (value - low) * scale for value in quartiles)
        left, middle = place * wide, (place + 0.5) * wide
        text = f"{label}: {quartiles[0]:g}, {quartiles[1]:g}, {quartiles[2]:g}"
        shapes.append(
            f'<g><title>{escape(text)}</title><rect x="{left + 0.1 * wide:.1f}" y="{third:.1f}" '
            f'width="{0.8 * wide:.1f}" height="{max(1.0, first - third):.1f}" fill="#4a7ebb"/>'
            f'<circle cx="{middle:.1f}" cy="{median:.1f}" r="{0.3 * wide:.1f}" fill="#222"/></g>'
        )
    size = f'width="{len(rows) * wide:.0f}" height="{height}"'
    return (
        f"<figure><svg {size}>" + "".join(shapes) + "</svg>"
        f"<figcaption>{escape(caption)}, {low:g} to {high:g}</figcaption></figure>"
    )


def figure(jpeg: bytes, caption: str) -> str:
    """Return a picture with a text below it."""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def legend(names: Iterable[str], colours: Iterable[str]) -> str:
    """Return which colour stands for which name."""
    keys = [
        f'<span class="key" style="background:{escape(colour)}"></span>{escape(name)}'
        for name, colour in zip(names, colours, strict=True)
    ]
    return "<p>" + "".join(keys) + "</p>"
