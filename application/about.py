"""What a file says about itself: whose words, which query, of which version of the data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class About:
    """What goes into a file whose format has a place for it; what is unknown is empty, and left out.

    ``query`` is the query's identity as JSON, empty for all rows and columns. ``source`` is the ETag of the
    data, ``e_tag`` that of the file, both without quotes. ``crs`` is how
    the geometry came into another reference system. ``columns`` are descriptions by column name.
    Nobody is given words that its format does not carry.
    """

    dataset: str = ""
    query: str = ""
    source: str = ""
    e_tag: str = ""
    crs: str = ""
    last_modified: datetime | None = None
    title: str = ""
    description: str = ""
    licence: str = ""
    attribution: str = ""
    publisher: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> dict[str, str]:
        """The publisher's words in it, by what they are of; empty where there are none."""
        words = {name: getattr(self, name) for name in WORDS if getattr(self, name)}
        return words | {f"columns.{name}": said for name, said in self.columns.items()}


# What of a dataset's words every format with a place for words carries.
WORDS = ("title", "description", "licence", "attribution", "publisher")
