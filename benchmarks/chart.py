"""A bar chart as SVG that follows light and dark pages; bars are times, in how many of another's."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LABEL, BAR, GAP, HEAD = 760, 170, 15, 12, 58
COLOURS = ("#2f6fab", "#b5651d", "#5a8f3c", "#7d5ba6")
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.faint{stroke:#bbb}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.faint{stroke:#555}}"
)


def chart(title: str, rows: Mapping[str, Sequence[float | None]], names: Sequence[str]) -> str:
    """A group of bars for each row, one for each name; None is left out. Values are ratios, 1 is marked."""
    most = max(value for values in rows.values() for value in values if value is not None)
    scale = (WIDTH - LABEL - 60) / most
    parts = [_text(8, 20, title, "font-weight:600"), *_legend(names)]
    top = HEAD
    for label, values in rows.items():
        shown = [(place, value) for place, value in enumerate(values) if value is not None]
        parts.append(_text(8, top + BAR * len(shown) / 2 + 4, label))
        for line, (place, value) in enumerate(shown):
            y = top + line * BAR
            parts.append(
                f'<rect x="{LABEL}" y="{y}" width="{value * scale:.1f}" height="{BAR - 3}" '
                f'fill="{COLOURS[place]}"/>'
            )
            parts.append(_text(LABEL + value * scale + 5, y + BAR - 4, f"{value:.2f}"))
        top += BAR * len(shown) + GAP
    at_one = LABEL + scale
    parts.append(
        f'<line class="faint" x1="{at_one:.1f}" x2="{at_one:.1f}" y1="{HEAD - 6}" y2="{top - GAP}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img" '
        f'aria-label="{escape(title)}"><style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _legend(names: Sequence[str]) -> list[str]:
    parts, left = [], 8
    for place, name in enumerate(names):
        parts.append(f'<rect x="{left}" y="31" width="11" height="11" fill="{COLOURS[place]}"/>')
        parts.append(_text(left + 16, 41, name))
        left += 40 + 8 * len(name)
    return parts


def _text(x: float, y: float, words: str, style: str = "") -> str:
    styled = f' style="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{styled}>{escape(words)}</text>'
