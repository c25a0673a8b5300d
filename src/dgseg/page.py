"""Pages for a browser that need no network: light or dark as the reader's system."""

from __future__ import annotations

import html
from collections.abc import Sequence


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page.

    Parameters
    ----------
    title : str
        Plain text.
    parts : sequence of str
        HTML, one below the other; the style knows the classes ``verdict`` with
        ``green``, ``amber`` or ``red``, ``panels`` of figures, ``wide`` tables, ``drawn``
        pictures, ``faint`` text and ``swatch``.
    """
    body = "\n".join([*parts, _FOOTER])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def escaped(value: object) -> str:
    """A value as text of a page."""
    return html.escape(str(value))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    lines = "\n".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>\n{lines}\n</table></div>'


_FOOTER = "<footer>Made by dgseg. For research only: not a medical device.</footer>"

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --faint: #6a737d;
  --line: #d8dee4; --green: #1a7f37; --amber: #9a6700; --red: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #14181d;
  --faint: #8b949e; --line: #30363d; --green: #3fb950; --amber: #d29922; --red: #f85149; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
.verdict { border-left: .4rem solid; padding: .6rem 1rem; font-size: 1.15rem; }
.green { border-color: var(--green); } .amber { border-color: var(--amber); }
.red { border-color: var(--red); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; }
.up { color: var(--green); } .down { color: var(--red); }
.same, .faint, footer { color: var(--faint); }
.panels { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figcaption { color: var(--faint); }
img { width: 17rem; max-width: 100%; image-rendering: pixelated; }
.drawn img { width: 100%; image-rendering: auto; background: #fff; }
.swatch { display: inline-block; width: .8em; height: .8em; margin: 0 .4em 0 1em; }
footer { margin-top: 3rem; font-size: .9rem; }
"""
