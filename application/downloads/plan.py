"""What a client asks for, fitted to its dataset: a frozen plan with its ETag; nothing has run."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from application import engine
from application.about import WORDS, About
from application.downloads.areas import NOWHERE, Located, with_areas
from application.downloads.conditions import Validators, make_e_tag
from application.downloads.refusals import check_columns, check_rows
from application.downloads.shapes import crs_accuracy, crs_words, makers_of, shape_of, with_geometry
from application.errors import DatasetInvalid, FormatUnknown
from application.formats import FORMATS, Format
from application.formats.base import release
from application.formats.compression import CODINGS, IDENTITY
from application.models import Dataset, Query
from application.query.parsed import parse

if TYPE_CHECKING:
    from application.geometry.areas import AreaTest

# A result that may be small is made before its headers go out, up to this many bytes or seconds.
SMALL_BYTES = 4 << 20
SMALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for, as text: a dataset's name, an extension, query parameters, and a coding.

    ``preview`` is a format of what a page shows of it, which has no extension.
    """

    name: str
    extension: str
    parameters: tuple[tuple[str, str], ...] = ()
    coding: str = IDENTITY
    preview: Format | None = None

    @property
    def format(self) -> Format:
        """The format asked for; raises FormatUnknown."""
        return self.preview or find_format(self.extension)


@dataclass(frozen=True, slots=True)
class Carriage:
    """What gets to the clients as it is: which codings, and whether a body without bytes."""

    codings: tuple[str, ...] = tuple(CODINGS)
    empty: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """A download that fits its dataset; nothing has run yet. ``e_tag`` is without quotes.

    ``missing`` are the chosen fields that the dataset lacks, to be told to the client; ``filename`` is
    what browsers save it under. ``filler`` is what a result without any bytes is made of instead.
    ``fresh_seconds`` are how long the same request means the same query, None where the time of day is
    nothing to it. ``tests`` are those of the query's areas.
    """

    dataset: Dataset
    query: Query
    format: Format
    coding: str
    e_tag: str
    missing: tuple[str, ...]
    filename: str
    filler: bytes = b""
    carriage: Carriage = Carriage()
    fresh_seconds: int | None = None
    tests: "tuple[AreaTest, ...]" = field(default=(), compare=False, repr=False)

    @property
    def validators(self) -> Validators:
        """What an answer with this plan is recognised by."""
        return Validators(self.e_tag, self.dataset.last_modified)

    @property
    def about(self) -> About:
        """What the file says about itself."""
        dataset = self.dataset
        said = self.query.identity()
        if self.query.columns == dataset.columns:
            del said["columns"]
        return replace(
            words_of(dataset, self.query, self.format),
            query=json.dumps(said, ensure_ascii=False) if said else "",
            e_tag=self.e_tag,
            crs=crs_words(self.query.shape),
        )

    def max_age(self, most: int) -> int:
        """Seconds, at most so many, that an answer to the request may be kept."""
        return most if self.fresh_seconds is None else min(most, self.fresh_seconds)

    @property
    def crs_accuracy(self) -> str:
        """To how many metres the geometry is right in another reference system, where that is past one."""
        return crs_accuracy(self.query.shape)

    @property
    def is_native(self) -> bool:
        """True when the result is the stored object itself."""
        return is_native(self.dataset, self.query, self.format)

    @property
    def may_be_small(self) -> bool:
        """False for a whole dataset that is known to be more than a small result."""
        dataset = self.dataset
        return not self.query.has_all_rows(dataset) or dataset.rows * dataset.row_bytes <= SMALL_BYTES

    def may_exceed(self, size: int | None) -> bool:
        """False for what is known to be far from so many bytes; None means that no size is too much."""
        dataset = self.dataset
        most = dataset.size if self.is_native else dataset.rows * dataset.row_bytes * self.format.growth
        return size is not None and most > size

    @property
    def advice(self) -> str:
        """What a client can do whose result is too large."""
        ways = ["filter its rows", "choose columns with field=NAME"]
        if self.is_native:
            ways = ["read it by ranges", *ways]
        elif self.coding == IDENTITY and self.format.codable and self.carriage.codings:
            ways = [f"accept {' or '.join(self.carriage.codings)}", *ways]
        return f"You can {', '.join(ways[:-1])}, or {ways[-1]}."


def make_plan(
    request: Request,
    dataset: Dataset,
    chosen: Format,
    now: datetime,
    carriage: Carriage = Carriage(),
    *,
    located: Located = NOWHERE,
) -> Plan:
    """Fit a request to its dataset at a moment in UTC; ``located`` are the rows that its areas name.

    Raises QueryInvalid, ColumnUnsupported, DatasetInvalid, and ResultTooLarge for what no file holds.
    """
    if dataset.fault and (request.parameters or not chosen.native):
        raise DatasetInvalid(dataset.fault)
    parsed = parse(request.parameters, dataset.columns, chosen.dialect, shape_of(dataset, chosen))
    query, tests = with_areas(dataset, resolve(parsed.query, now), located)
    if chosen.geometry:
        query = with_geometry(dataset, query, chosen)
    if not is_native(dataset, query, chosen):
        check_columns(dataset, query, chosen)
        check_rows(dataset, query, chosen)
    coding = request.coding if chosen.codable else IDENTITY
    # Coded bytes have a header at least, and so has what is no text.
    filler = b"\n" if chosen.codable and coding == IDENTITY and not carriage.empty else b""
    return Plan(
        dataset,
        query,
        chosen,
        coding,
        _e_tag(dataset, query, chosen, coding, filler),
        parsed.missing,
        _filename(parsed.filename or dataset.name, chosen),
        filler,
        carriage,
        _seconds_left(now) if query.period or located.by_day else None,
        tests,
    )


def resolve(query: Query, now: datetime) -> Query:
    """The query with what it depends on beside the data put in: today's date."""
    if query.period is None:
        return query
    return replace(query, period=replace(query.period, today=now.date().isoformat()))


def _seconds_left(now: datetime) -> int:
    """Whole seconds of the day that are left, in UTC."""
    midnight = datetime.combine(now.date() + timedelta(days=1), time.min, UTC)
    return int((midnight - now).total_seconds())


def _filename(name: str, chosen: Format) -> str:
    """A name that ends with the format's extension."""
    ending = f".{chosen.extension}"
    return name if name.lower().endswith(ending) else name + ending


def find_format(extension: str) -> Format:
    """The format of that extension; raises FormatUnknown."""
    chosen = FORMATS.get(extension)
    if chosen is None:
        known = ", ".join(FORMATS)
        raise FormatUnknown(f"There is no format {extension!r}; the formats are {known}.")
    return chosen


def is_native(dataset: Dataset, query: Query, chosen: Format) -> bool:
    """True when the result is the stored object itself: its format, everything, in one object."""
    return chosen.native and query.is_whole(dataset) and not dataset.is_folder


def words_of(dataset: Dataset, query: Query, chosen: Format) -> About:
    """What is said of a dataset in a file of that format: the words that it has a place for."""
    about = About(dataset.name, source=dataset.e_tag, last_modified=dataset.last_modified)
    if not chosen.words:
        return about
    said = {name: getattr(dataset.words, name) for name in WORDS}
    columns = {
        column.name: dataset.words.columns[column.name]
        for column in query.columns
        if chosen.column_words and column.name in dataset.words.columns
    }
    return replace(about, **said, columns=columns)


def _e_tag(dataset: Dataset, query: Query, chosen: Format, coding: str, filler: bytes) -> str:
    """A digest of all that decides the bytes: the data's version, the query, and what makes them."""
    makers: tuple[str, ...] = ()
    said = query.identity()
    # Nothing makes a stored object, so no other writer changes it, and no words are added.
    if is_native(dataset, query, chosen):
        said.pop("text", None)
    else:
        makers += (release(engine.DISTRIBUTION), *chosen.version, *map(release, makers_of(query, chosen)))
        if words := words_of(dataset, query, chosen).words:
            makers += (f"words {sorted(words.items())!r}",)
        if chosen.dated:
            makers += (f"modified {dataset.last_modified.isoformat()}",)
    if coding != IDENTITY:
        makers += CODINGS[coding].version
    if filler:
        makers += (f"filler {filler!r}",)
    parts = (dataset.name, dataset.e_tag, said, chosen.extension, coding, makers)
    return make_e_tag(parts)
