"""The domain's exceptions; they know nothing of HTTP.

DownloadError
├── Refused                   the request, or the data that it asks for, rules it out
│   ├── DatasetNotFound       no object and no folder of that name
│   ├── FormatUnknown         no such extension
│   ├── QueryInvalid          parameters that do not fit the dataset, one entry each
│   ├── ColumnUnsupported     a column cannot be written exactly in the format asked for
│   ├── CodingUnacceptable    the client refuses every coding we have
│   ├── FormUnsupported       parameters come in a body of another type than a form's
│   ├── FormTooLarge          a form is larger than one may be
│   ├── PreconditionFailed    the client asked for another version than there is
│   ├── RangeNotSatisfiable   no byte of the range exists
│   ├── KeyRefused            no key, or none that is known, where one is asked for
│   ├── RateExceeded          a client asks more often than it may
│   ├── TooManyDownloads      a client has as many downloads at the same time as it may
│   └── ResultTooLarge        the result or a row does not fit this place
│       ├── AnswerTooLarge    the result can be made, but no answer here can carry it
│       └── CellTooLarge      a value is more than a cell of the format holds
├── ConfigurationError        a setting is missing or wrong
├── DatasetInvalid            the object is there but cannot be read as Parquet, or its parts disagree
├── DatasetChanged            the object is no longer the version that was planned
├── FormatUnavailable         the format needs a folder, and this service has none
├── StorageUnavailable        the bucket or folder does not answer
├── EngineFailed              DuckDB failed on this query
├── Busy                      no place became free in time
├── NotMadeYet                the result is being made, and takes longer than an answer may wait
├── ExportPending             the result is being written to the export bucket
├── ExportFailed              it could not be written there
├── SpoolFull                 the spool's folder has no space left
├── DeadlineExceeded          the production takes longer than one may
├── ProductionCancelled       every reader left
├── ClientStalled             the client takes nothing for too long
├── StorageStalled            storage gave nothing, or too little, for too long
└── Stopping                  the process is going down

Messages are written for the person who made the request: they name what was wrong and what would
be right, and never a path, a URL, SQL or a secret. Causes travel as ``__cause__`` to the log.
"""

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass


class DownloadError(Exception):
    """Anything this service can say about a download it cannot give."""


class Refused(DownloadError):
    """The request, or the data that it asks for, rules it out: nothing here is to be mended."""


class ConfigurationError(DownloadError):
    """A setting is missing or wrong."""


class DatasetNotFound(Refused):
    """There is no dataset of that name."""


class DatasetInvalid(DownloadError):
    """The dataset's object or parts cannot be read as one Parquet table."""


class DatasetChanged(DownloadError):
    """The stored object is no longer the version that the download was planned for."""


class FormatUnknown(Refused):
    """No format has that extension."""


class FormatUnavailable(DownloadError):
    """The format is made in a folder, and there is none."""


@dataclass(frozen=True, slots=True)
class ParameterProblem:
    """One parameter that cannot be used: its name, what is wrong and what would be right."""

    parameter: str
    detail: str


class QueryInvalid(Refused):
    """Parameters that do not fit the dataset."""

    def __init__(self, problems: Sequence[ParameterProblem]) -> None:
        super().__init__("; ".join(problem.detail for problem in problems))
        self.problems = tuple(problems)


class ColumnUnsupported(Refused):
    """A column that cannot be written exactly; the message names it and how to leave it out."""


class CodingUnacceptable(Refused):
    """The client's Accept-Encoding refuses every coding there is."""


class FormUnsupported(Refused):
    """Parameters come in a body that is no form."""


class FormTooLarge(Refused):
    """A form is larger than one may be."""


class PreconditionFailed(Refused):
    """The data is another version than the client asks for, or the one that it refuses."""


class RangeNotSatisfiable(Refused):
    """No byte of the range exists; ``size`` is how many there are."""

    def __init__(self, size: int) -> None:
        super().__init__(f"There are {size} bytes; ask for a range within them.")
        self.size = size


class StorageUnavailable(DownloadError):
    """The bucket or folder does not answer."""


class EngineFailed(DownloadError):
    """DuckDB failed while it ran a query."""


class KeyRefused(Refused):
    """A key is asked for, and there is none, or none that is known."""


class RateExceeded(Refused):
    """A client asks more often than it may; ``seconds`` later it may again."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class TooManyDownloads(Refused):
    """A client has as many downloads at the same time as it may."""


class Busy(DownloadError):
    """No place for another production became free in time."""


class ResultTooLarge(Refused):
    """The result, or a single vector of its rows, does not fit the memory or disk there is."""


class AnswerTooLarge(ResultTooLarge):
    """The result can be made, but no answer here can carry it."""


class CellTooLarge(ResultTooLarge):
    """A value is more than a cell of the format holds; ``anywhere`` says so without its place."""

    def __init__(self, what: str, place: str, advice: str) -> None:
        super().__init__(f"{what} in {place}; {advice}")
        self.anywhere = f"{what}; {advice}"


class NotMadeYet(DownloadError):
    """The result is being made, and takes longer than an answer may wait for it."""


class ExportPending(DownloadError):
    """The result is too large for an answer, and is being written to the export bucket."""


class ExportFailed(DownloadError):
    """The result is too large for an answer, and could not be written to the export bucket."""


class SpoolFull(DownloadError):
    """The spool's folder has no space left, and nothing in it can be dropped."""


class DeadlineExceeded(DownloadError):
    """The production takes longer than one may."""


class ProductionCancelled(DownloadError):
    """Every reader of a production left before its end."""


class StorageStalled(DownloadError):
    """Storage gave nothing, or too little, for longer than it may."""


class ClientStalled(DownloadError):
    """The client took nothing for longer than it may."""


class Stopping(DownloadError):
    """The process is shutting down and takes no new downloads."""


# How the system says that there is no more of something, and how libraries pass it on in words alone.
_LACKS = {
    "open files": ((errno.EMFILE, errno.ENFILE), "too many open files|os error 2[34]\\b"),
    "memory": (
        (errno.ENOMEM,),
        "cannot allocate memory|not enough memory|os error 12\\b|bad.?alloc|m(?:alloc|map) of size"
        "|failed to map segment",
    ),
    "threads": ((), "can't start new thread|resource temporarily unavailable|os error 11\\b|spawn .*thread"),
}
_WORDS = {what: re.compile(words, re.IGNORECASE) for what, (_, words) in _LACKS.items()}


def lack(error: BaseException) -> Busy | None:
    """Busy where an error, or one that led to it, is for want of open files, memory or threads; else None."""
    found: BaseException | None = error
    while found is not None:
        if what := _lacked(found):
            busy = Busy(f"This service has no {what} to spare; try again later.")
            busy.__cause__ = error
            return busy
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return None


def _lacked(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return "memory"
    number = getattr(error, "errno", None)
    # Other words may be those of clients and of data.
    is_told_in_words = number is None and not isinstance(error, DownloadError | ValueError | LookupError)
    for what, (numbers, _) in _LACKS.items():
        if number in numbers or (is_told_in_words and _WORDS[what].search(str(error))):
            return what
    return None
