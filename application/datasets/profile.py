"""What the rows of a dataset hold, column by column: a frozen value, and how it is written and read again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from application.geometry.drawn import Bounds

BARS = 20
MOST_TOP = 10
# Of kinds, with heights and without.
MOST_TYPES = 14
Value = str | int | float | bool
Count = Annotated[int, Field(ge=0)]


class _Read(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Frequent(_Read):
    """A value, and in how many rows it is."""

    value: Value
    count: Count


class Histogram(_Read):
    """How many values are in each of some bars of the same width, the last with its end."""

    low: Value = Field(alias="from")
    high: Value = Field(alias="to")
    counts: tuple[Count, ...] = Field(strict=False, max_length=BARS)


class GeometryProfile(_Read):
    """The geometries of a column: their kinds as GeoParquet names them, and the bounds of all, None for none.

    ``unreadable`` values are neither NULL nor a geometry.
    """

    types: tuple[str, ...] = Field(default=(), strict=False, max_length=MOST_TYPES)
    bbox: Bounds | None = Field(default=None, strict=False)
    unreadable: Count = 0


class ColumnProfile(_Read):
    """A column of the rows that were looked at; ``distinct`` is about right. What is not known is None.

    ``blanks`` are empty texts. ``top`` are the most frequent values, most frequent first.
    ``geometry`` is of the dataset's geometry column, where each value was looked at.
    """

    nulls: Count | None = None
    blanks: Count | None = None
    distinct: Count | None = None
    top: tuple[Frequent, ...] = Field(default=(), strict=False, max_length=MOST_TOP)
    histogram: Histogram | None = None
    geometry: GeometryProfile | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What ``rows`` rows of one version of a dataset hold; ``is_sample``: there are others."""

    e_tag: str
    rows: int
    is_sample: bool
    columns: Mapping[str, ColumnProfile]

    def to_json(self) -> dict[str, Any]:
        """The profile, with the members that a description has."""
        columns = [{"name": name, **column_json(column)} for name, column in self.columns.items()]
        return {
            "e_tag": self.e_tag,
            "profile": {"rows": self.rows, "sample": self.is_sample},
            "columns": columns,
        }


def column_json(column: ColumnProfile) -> dict[str, Any]:
    """A column's members; those that are not known are left out."""
    return column.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)


class _Rows(_Read):
    rows: Count
    sample: bool


class _Column(ColumnProfile):
    name: str


class _Told(_Read):
    e_tag: str
    profile: _Rows
    columns: list[_Column]


def read_profile(told: object, e_tag: str) -> Profile | None:
    """The profile that was written so, also as part of a description; None for none of this version."""
    try:
        found = _Told.model_validate(told)
    except ValidationError:
        return None
    if found.e_tag != e_tag:
        return None
    columns = {
        column.name: ColumnProfile.model_validate(column.model_dump(by_alias=True))
        for column in found.columns
    }
    return Profile(e_tag, found.profile.rows, found.profile.sample, columns)
