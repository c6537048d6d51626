"""Encoders and compressors that fail: at the first batch, a middle one, the last, and at the end."""

import threading
from collections.abc import Iterator
from itertools import count, product
from typing import Any, Self

import pyarrow as pa
import pytest

from application.downloads import job
from application.formats import Encoder, Format
from application.formats.compression import IDENTITY, Compressor
from tests.faults.conftest import Folder
from tests.faults.data import KINDS, Kind, Library
from tests.faults.law import Court, taking_turns

pytestmark = pytest.mark.faults

POINTS = ("first batch", "a middle batch", "last batch", "the end")
MADE = [kind for kind in KINDS if not kind.native]
CODED = [kind for kind in MADE if kind.coding != IDENTITY]
names = count()


class Counted:
    """Passes on what is done with an encoder or a compressor, and says how far it is."""

    def __init__(self, made: Any, fault: "Fault", *steps: str) -> None:
        self._made = made
        self._steps = steps
        self._fault = fault
        fault.done = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._made, name)
        if name not in (*self._steps, "finish"):
            return found

        def counted(*given: Any) -> Any:
            self._fault.pass_(given[0] if given else None)
            return found(*given)

        return counted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._made.close()


class Fault:
    """How much went through, rows or bytes, and from where on it fails."""

    def __init__(self) -> None:
        self.done = 0
        self.whole = 0
        self.point: str | None = None
        self.hits = 0
        self._lock = threading.Lock()

    def pass_(self, given: Any) -> None:
        """Count a step, or fail; several threads may encode."""
        if given is not None:
            is_rows = isinstance(given, pa.RecordBatch | pa.Table)
            with self._lock:
                self.done += given.num_rows if is_rows else len(memoryview(given))
        # How the rows are cut into batches is different each time.
        fails = {
            "first batch": given is not None,
            "a middle batch": given is not None and self.done > self.whole // 2,
            "last batch": given is not None and self.done >= self.whole,
            "the end": given is None,
        }
        if self.point and fails[self.point]:
            self.hits += 1
            raise RuntimeError("planted")

    def begin(self, point: str) -> None:
        """Fail at this point from now on; what went through so far was a whole download."""
        self.whole, self.point = self.done, point

    def end(self) -> None:
        """Fail no more."""
        self.point = None


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Fault:
    fault, original = Fault(), Format.open_encoder

    def open_encoder(self: Format, *given: Any) -> Encoder:
        return Counted(original(self, *given), fault, "encode", "encode_group")  # type: ignore[return-value]

    monkeypatch.setattr(Format, "open_encoder", open_encoder)
    return fault


@pytest.fixture
def compressor(monkeypatch: pytest.MonkeyPatch) -> Fault:
    fault = Fault()
    monkeypatch.setattr(job, "Compressor", lambda *of: Counted(Compressor(*of), fault, "compress"))
    return fault


@pytest.fixture
def dataset(unspooled: Folder, library: Library) -> Iterator[str]:
    name = f"encoded-{next(names)}"
    file = unspooled.folder / f"{name}.parquet"
    library.put(1, file)
    yield name
    file.unlink()


def fail(court: Court, fault: Fault, dataset: str, kind: Kind, *words: str) -> None:
    """Count the steps of a whole download, then fail at one of them."""
    what, point = words
    fields = {"Accept-Encoding": kind.coding, "Connection": "close"}
    assert court.served.get(kind.path(dataset), headers=fields).is_success
    case = taking_turns(MADE.index(kind) + POINTS.index(point), f"{what}: {point}", kind)
    court.judge(case, dataset, fault.end, cause=lambda: fault.begin(point), versions=())
    assert fault.hits, "nobody met the fault"


@pytest.mark.parametrize(("kind", "point"), list(product(MADE, POINTS)), ids=str)
def test_an_encoder_that_fails(
    folder_court: Court, encoder: Fault, dataset: str, kind: Kind, point: str
) -> None:
    fail(folder_court, encoder, dataset, kind, "encoder", point)


@pytest.mark.parametrize(("kind", "point"), list(product(CODED, POINTS)), ids=str)
def test_a_compressor_that_fails(
    folder_court: Court, compressor: Fault, dataset: str, kind: Kind, point: str
) -> None:
    fail(folder_court, compressor, dataset, kind, "compressor", point)
