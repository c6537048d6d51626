"""A dataset's description: a frozen value of what its publisher, its footers and its rows say of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from application.datasets.figures import UNKNOWN, Figures
from application.datasets.geometry import Geometry, geometry_of
from application.datasets.profile import Profile
from application.formats.wkb import WkbType
from application.models import Column, Dataset, Label
from application.query.filters import DEFAULT_OPERATOR, OPERATOR_MARK
from application.query.parameters import PARAMETERS


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """A column as it is told of; what is not known is empty.

    ``kind`` is its type, for people. ``parameter`` is what filters by its values where that is not its name.
    """

    name: str
    kind: str
    description: str = ""
    figures: Figures = UNKNOWN
    label: Label | None = None
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What is told of a dataset, beside the formats in which it can be had.

    ``profile`` is None as long as its rows were not looked at.
    """

    dataset: Dataset
    columns: tuple[ColumnDescription, ...]
    geometry: Geometry | None
    profile: Profile | None = None


def describe(dataset: Dataset, figures: Mapping[str, Figures]) -> Description:
    """The description of a dataset, with the figures of its columns by name."""
    words = dataset.words
    columns = (
        ColumnDescription(
            column.name,
            kind_of(column),
            words.columns.get(column.name, ""),
            figures.get(column.name, UNKNOWN),
            words.labels.get(column.name),
            # A parameter goes before a column of its name.
            f"{column.name}{OPERATOR_MARK}{DEFAULT_OPERATOR}" if column.name in PARAMETERS else "",
        )
        for column in dataset.columns
    )
    return Description(dataset, tuple(columns), geometry_of(dataset))


def kind_of(column: Column) -> str:
    """The type of a column in a word: Arrow's name for it, and what its values are where that says more."""
    kind = column.field.type
    if column.traits.geometry or isinstance(kind, WkbType):
        return "geometry"
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        return str(kind.extension_name.removeprefix("arrow."))
    return next((word for matches, word in KINDS if matches(kind)), str(kind))


# Types that hold the same values go by one word.
KINDS = (
    (pa.types.is_large_string, "string"),
    (pa.types.is_string_view, "string"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_binary_view, "binary"),
    (pa.types.is_date, "date"),
)
