"""What a download would be, before it is made: rows, bytes by format, and how it would be answered."""

from dataclasses import dataclass
from typing import Any

from application.downloads.ways import Way
from application.formats import Format


@dataclass(frozen=True, slots=True)
class FormatEstimate:
    """A format of a query's rows: its bytes uncoded, None where not known, and how it would be answered."""

    format: Format
    way: Way
    reason: str
    size: int | None = None
    is_exact: bool = False

    @property
    def is_known(self) -> bool:
        """True for a size, and for what is refused."""
        return self.size is not None or self.way is Way.REFUSED


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is known of a query's rows; ``rows`` is None where only ``rows_at_most`` is known.

    ``without_geometry`` are the rows that no area can have, of those that all but the query's areas choose;
    None where there is no area, or it is not known.
    ``groups`` row groups of ``groups_in_all``, and about ``bytes_read`` stored bytes, would be read.
    """

    dataset: str
    rows: int | None
    rows_at_most: int
    without_geometry: int | None
    groups: int
    groups_in_all: int
    bytes_read: int
    formats: tuple[FormatEstimate, ...]

    @property
    def is_complete(self) -> bool:
        """True where the size of each format is known that can have the rows, and how many these are."""
        return self.rows is not None and all(item.is_known for item in self.formats)

    def to_json(self) -> dict[str, Any]:
        """The estimate as docs/api.md has it."""
        rows = {"rows_at_most": self.rows_at_most} if self.rows is None else {"rows": self.rows}
        without = {} if self.without_geometry is None else {"rows_without_geometry": self.without_geometry}
        return {
            "dataset": self.dataset,
            **rows,
            **without,
            "row_groups": {"read": self.groups, "of": self.groups_in_all},
            "bytes_read": self.bytes_read,
            "formats": [_format_json(item) for item in self.formats],
        }


def _format_json(item: FormatEstimate) -> dict[str, Any]:
    sized = {} if item.size is None else {"bytes": item.size, "exact": item.is_exact}
    answer = {"answer": item.way.value, "reason": item.reason}
    return {"extension": item.format.extension, **sized, **answer}
