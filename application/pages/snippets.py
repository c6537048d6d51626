"""How a tool reads exactly this result: a table of what to paste."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from application.pages.words import format_name


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: the first of its formats that is there, how to begin, and what to paste.

    ``code`` is made of the address and of a name to save it under, which have nothing to be quoted.
    """

    name: str
    formats: tuple[str, ...]
    how: str
    code: Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Snippet:
    """What to paste into a tool."""

    key: str
    tool: str
    how: str
    code: str


TOOLS = (
    Tool("curl", ("csv",), "in a terminal", lambda url, name: f"curl --fail --output {name} '{url}'"),
    Tool(
        "download-lambda",
        ("csv",),
        "in a terminal: goes on where it broke off, and checks every byte",
        lambda url, name: f"download-lambda fetch '{url}' -o {name}",
    ),
    Tool(
        "pandas",
        ("parquet", "csv"),
        "in Python",
        lambda url, _: f'import pandas as pd\n\ndata = pd.read_{_reader(url)}("{url}")',
    ),
    Tool(
        "polars",
        ("parquet", "csv"),
        "in Python",
        lambda url, _: f'import polars as pl\n\ndata = pl.read_{_reader(url)}("{url}")',
    ),
    Tool(
        "DuckDB", ("parquet", "csv"), "in SQL", lambda url, _: f"SELECT * FROM read_{_reader(url)}('{url}');"
    ),
    Tool(
        "R",
        ("csv",),
        "in R",
        # As it is: names unchanged, and a row of an empty cell alone is a row.
        lambda url, _: (
            f'data <- read.csv("{url}", na.strings = "", check.names = FALSE,\n'
            "                 blank.lines.skip = FALSE)"
        ),
    ),
    Tool("Excel", ("csv",), "choose Data, From Web, and paste the address", lambda url, _: url),
    Tool(
        "QGIS",
        ("fgb", "geojson"),
        "choose Layer, Add Vector Layer, Protocol: HTTP(S), and paste the address",
        lambda url, _: url,
    ),
    Tool(
        "GDAL",
        ("fgb", "geojson"),
        "in a terminal",
        lambda url, name: f"ogr2ogr {name.rpartition('.')[0]}.gpkg '/vsicurl/{url}'",
    ),
)


def snippets(address: Callable[[str], str], possible: Iterable[str], name: str) -> tuple[Snippet, ...]:
    """What to paste into each tool for which a format is possible; ``address`` is that of a format."""
    there = set(possible)
    found = []
    for tool in TOOLS:
        extension = next((item for item in tool.formats if item in there), None)
        if extension is not None:
            how = f"{format_name(extension)}, {tool.how}"
            code = tool.code(address(extension), f"{name}.{extension}")
            found.append(Snippet(tool.name.lower(), tool.name, how, code))
    return tuple(found)


def _reader(url: str) -> str:
    """The name that readers have for the format of an address."""
    return url.partition("?")[0].rpartition(".")[2]
