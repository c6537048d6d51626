"""What lack of files, memory and threads looks like, and whose an error is."""

import errno
import os

import pytest

from application.api.problems import PROBLEMS, Problem
from application.errors import (
    Busy,
    DatasetInvalid,
    DownloadError,
    EngineFailed,
    QueryInvalid,
    Refused,
    StorageUnavailable,
    lack,
)


class PanicException(BaseException):
    """As pyo3 has it."""


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "open files"),
        (OSError(errno.ENFILE, os.strerror(errno.ENFILE)), "open files"),
        (Exception('IO Error: Cannot open file "x": Too many open files'), "open files"),
        (Exception("error trying to connect: Too many open files (os error 24)"), "open files"),
        (RuntimeError("can't start new thread"), "threads"),
        (PanicException("failed to spawn cleaner thread: Os { code: 11, kind: WouldBlock }"), "threads"),
        (Exception("Invalid Error: Resource temporarily unavailable"), "threads"),
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "memory"),
        (Exception("std::bad_alloc"), "memory"),
        (Exception("zstd compress error: Allocation error : not enough memory"), "memory"),
        (Exception("Out of Memory Error: Failed to allocate block of 1 bytes (bad allocation)"), "memory"),
        (Exception("malloc of size 1048576 failed"), "memory"),
        (ImportError("/x/backend.so: failed to map segment from shared object"), "memory"),
    ],
)
def test_it_is_told_by_number_and_by_words(error: BaseException, what: str) -> None:
    found = lack(error)
    assert isinstance(found, Busy)
    assert what in str(found)
    wrapped = EngineFailed("The engine failed.")
    wrapped.__cause__ = error
    assert isinstance(lack(wrapped), Busy)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "Too many open files"),
        BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)),
        ValueError("invalid literal: 'bad_alloc'"),
        QueryInvalid([]),
        DatasetInvalid("Column 'can't start new thread' is there twice."),
        StorageUnavailable("The storage does not answer."),
        ZeroDivisionError(),
    ],
)
def test_nothing_else_is_taken_for_it(error: BaseException) -> None:
    assert lack(error) is None


@pytest.mark.parametrize(("kind", "problem"), PROBLEMS.items(), ids=lambda given: getattr(given, "code", ""))
def test_what_is_refused_is_what_clients_are_told_as_theirs(
    kind: type[DownloadError], problem: Problem
) -> None:
    assert issubclass(kind, Refused) == (problem.status < 500)
