"""HTML pages in one file: images are embedded, all texts are escaped, nothing else is loaded."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from pseudolabel.core.files import written_aside

_STYLE = """
:root { color-scheme: light dark; --text: #1d2329; --paper: #fff; --line: #d5dae0; --bar: #0072b2 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e6ea; --paper: #14181d; --line: #363d46; --bar: #56b4e9 }
}
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1em; max-width: 75em;
  color: var(--text); background: var(--paper) }
table { border-collapse: collapse; margin: 0.5em 0 1.5em; display: block; overflow-x: auto }
td, th { padding: 0.2em 0.8em 0.2em 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line) }
.short { white-space: nowrap }
.bar { background: var(--bar); height: 0.8em; display: inline-block; margin-right: 0.4em }
figure { display: inline-block; margin: 0 0.6em 0.8em 0; vertical-align: top }
figure img { max-width: 100% }
figcaption { font-size: 12px; max-width: 20em; overflow-wrap: anywhere }
.key { display: inline-block; width: 0.9em; height: 0.9em; margin: 0 0.3em 0 0.9em }
"""


def write_page(path: Path, title: str, parts: Iterable[str]) -> None:
    """Write a page of HTML parts, atomically.

    Args:
        path: the file.
        title: the title as plain text.
        parts: HTML from the functions of this module.
    """
    body = "\n".join(parts)
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # Browsers must not run scripts or load other files, even if a text contains HTML.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )
    with written_aside(path) as aside:
        aside.write_bytes(text.encode("utf-8", "backslashreplace"))


def heading(text: str) -> str:
    """Return a heading from plain text."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Return a paragraph from plain text."""
    return f"<p>{escape(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of plain texts."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    ]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def bars(head: Sequence[str], rows: Iterable[tuple[str, Sequence[float]]]) -> str:
    """Return a table of shares, 0 to 1, as bars: one row per label, one column per series."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for label, shares in rows:
        cells = "".join(
            f'<td class="short"><span class="bar" style="width:{100 * share:.0f}px"></span>'
            f"{share:.1%}</td>"
            for share in shares
        )
        lines.append(f"<tr><td>{escape(label)}</td>{cells}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def figure(jpeg: bytes, caption: str) -> str:
    """Return an image with a caption."""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def legend(names: Iterable[str], colours: Iterable[str]) -> str:
    """Return a legend: the colour of each name, as a CSS colour."""
    keys = [
        f'<span class="key" style="background:{escape(colour)}"></span>{escape(name)}'
        for name, colour in zip(names, colours, strict=True)
    ]
    return "<p>" + "".join(keys) + "</p>"
