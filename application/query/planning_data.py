"""What the names of planning data mean as parameters: data for the reader of filters, which knows none."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamedFilter:
    """A column whose filter front ends send empty for no filter.

    Where it has a ``vocabulary``, a value is one of these words, or empty.
    """

    column: str
    vocabulary: tuple[str, ...] = ()


NAMED_FILTERS: dict[str, NamedFilter] = {
    row.column: row
    for row in (
        NamedFilter("organisation-entity"),
        NamedFilter("quality", ("none", "some", "indicative", "authoritative", "usable", "trustworthy")),
    )
}
