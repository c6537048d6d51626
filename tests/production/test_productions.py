"""Productions: who is served by which, who waits how long for a place, what is kept, what is never kept."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from application.errors import (
    Busy,
    CellTooLarge,
    ColumnUnsupported,
    DatasetChanged,
    DatasetInvalid,
    DeadlineExceeded,
    DownloadError,
    EngineFailed,
    ProductionCancelled,
    ResultTooLarge,
    Stopping,
)
from application.production.admission import Admission, Cores
from application.production.admission import Work as Admitted
from application.production.claim import Claim
from application.production.productions import Productions
from application.production.slots import Slots
from application.production.watchdog import Patience
from application.spool import Tape
from application.telemetry import logger
from tests.support.descriptors import descriptors
from tests.support.serving import eventually
from tests.support.tapes import SEGMENT, WINDOW, rest

PATIENCE = 10
MEBIBYTE = 1 << 20

pytestmark = pytest.mark.timeout(30)


class Stop:
    """What a real cancellation is to a production."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()


@dataclass
class Work:
    """A job that writes ``data`` once it is let go; it looks at its cancellation as the engine does."""

    data: bytes = b"the bytes"
    memory: int = 0
    owner: str = field(default_factory=lambda: uuid4().hex)
    failure: BaseException | None = None
    hold: bool = False
    cancellation: Stop = field(default_factory=Stop)
    let_go: threading.Event = field(default_factory=threading.Event)
    running: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def size(self) -> int:
        return 1 << 40

    def effort(self) -> float:
        return 0.0

    def run(self, tape: Tape) -> None:
        self.running.set()
        try:
            tape.write(self.data[:1])
            while self.hold and not self.let_go.wait(0.005):
                self._raise_if_cancelled()
            for start in range(1, len(self.data), 1000):
                self._raise_if_cancelled()
                tape.write(self.data[start : start + 1000])
            if self.failure:
                raise self.failure
        finally:
            self.over.set()

    def _raise_if_cancelled(self) -> None:
        if self.cancellation.is_set:
            raise ProductionCancelled("cancelled")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGMENT_BYTES", "MEMORY_SEGMENT_BYTES"):
        monkeypatch.setattr(f"application.spool.segments.{name}", SEGMENT)
    for name in ("WINDOW_BYTES", "MEMORY_WINDOW_BYTES"):
        monkeypatch.setattr(f"application.spool.window.{name}", WINDOW)


@dataclass
class Call:
    """A call that is to come at a time of the test's clock."""

    when: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Clock:
    """Seconds pass when the test says so."""

    now: float = 0.0
    calls: list[Call] = field(default_factory=list)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Call:
        self.calls.append(Call(self.now + seconds, call))
        return self.calls[-1]

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [item for item in self.calls if item.when <= self.now]
        self.calls = [item for item in self.calls if item.when > self.now]
        for item in due:
            if not item.is_cancelled:
                item.call()


def places(
    count: int = 4, memory: int = MEBIBYTE, most_waiting: int = 64, seconds: float = PATIENCE
) -> Slots:
    return Slots(Admission(count, memory, cores=count), Cores(count), most_waiting, seconds)


Maker = Callable[..., Productions]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Maker]:
    before = descriptors(tmp_path)
    made: list[Productions] = []

    def make(
        given: Slots | None = None,
        *,
        folder: Path | None = tmp_path,
        keep: int = MEBIBYTE,
        quota: int = 4 * MEBIBYTE,
        files: int = 1000,
        stall: float = PATIENCE,
        most: float = PATIENCE,
        clock: "Clock | None" = None,
    ) -> Productions:
        made.append(
            Productions(
                given or places(),
                folder,
                keep,
                quota,
                most_files=files,
                patience=Patience(stall, most),
                stopping=threading.Event(),
                later=(clock or Clock()).call_later,
            )
        )
        return made[-1]

    yield make
    for productions in made:
        productions.close()
    until(lambda: descriptors(tmp_path) == before)


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def read(productions: Productions, key: str, job: Work) -> bytes:
    with productions.join(key, lambda: job) as reader:
        return rest(reader)


def never() -> Work:
    pytest.fail("another production was made")


def is_kept(productions: Productions, key: str) -> bool:
    made: list[Work] = []

    def make() -> Work:
        made.append(Work(failure=EngineFailed("probe")))
        return made[-1]

    with productions.join(key, make) as reader:
        try:
            rest(reader)
        except EngineFailed:
            assert made
    return not made


def test_one_production_serves_twenty_who_ask_at_the_same_time(house: Maker) -> None:
    productions = house()
    made: list[Work] = []
    data = bytes(range(256)) * 200

    def make() -> Work:
        made.append(Work(data, hold=True))
        return made[-1]

    start = threading.Barrier(20)

    def ask() -> bytes:
        start.wait(PATIENCE)
        with productions.join("key", make) as reader:
            made[0].let_go.set()
            return rest(reader)

    with ThreadPoolExecutor(20) as pool:
        got = [asking.result(PATIENCE) for asking in [pool.submit(ask) for _ in range(20)]]
    assert got == [data] * 20
    assert len(made) == 1


def test_different_keys_have_productions_of_their_own(house: Maker) -> None:
    productions = house()
    assert [read(productions, key, Work(key.encode())) for key in ("a", "b")] == [b"a", b"b"]


def test_a_kept_tape_answers_the_next_one(house: Maker) -> None:
    productions = house()
    assert read(productions, "key", Work(b"whole")) == b"whole"
    with productions.join("key", never) as reader:
        assert rest(reader) == b"whole"


def test_one_who_leaves_does_not_stop_the_others(house: Maker) -> None:
    productions = house()
    job = Work(hold=True)
    first, second = productions.join("key", lambda: job), productions.join("key", never)
    first.close()
    job.let_go.set()
    assert rest(second) == job.data
    second.close()


def test_the_last_one_who_leaves_stops_the_production_and_the_next_one_gets_another(house: Maker) -> None:
    productions = house()
    job = Work(hold=True)
    productions.join("key", lambda: job).close()
    assert job.cancellation.is_set
    assert read(productions, "key", Work(b"another")) == b"another"
    assert job.over.wait(PATIENCE) or not job.running.is_set()


def test_one_who_leaves_while_waiting_gives_up_the_wait(house: Maker) -> None:
    productions = house(places(count=1))
    holder, waiter, after = Work(hold=True), Work(), Work(b"after")
    holding = productions.join("holder", lambda: holder)
    assert holder.running.wait(PATIENCE)
    productions.join("waiter", lambda: waiter).close()
    reader = productions.join("after", lambda: after)
    holder.let_go.set()
    assert rest(reader) == b"after"
    assert not waiter.running.is_set()
    holding.close()
    reader.close()


def test_places_are_given_in_the_order_of_asking() -> None:
    given = places(count=1)
    first = Admitted("a")
    given.enter(first, lambda: False)
    order: list[int] = []

    def wait(number: int) -> None:
        work = Admitted("a")
        given.enter(work, lambda: False)
        order.append(number)
        given.leave(work)

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=wait, args=(number,), daemon=True))
        threads[-1].start()
        until(lambda: given.waiting == len(threads))
    given.leave(first)
    for thread in threads:
        thread.join(PATIENCE)
    assert order == list(range(8))


@pytest.mark.parametrize(("count", "share"), [(3, 2), (4, 2), (8, 5)])
def test_one_dataset_never_has_all_places(house: Maker, count: int, share: int) -> None:
    given = places(count=count)
    productions = house(given)
    slow = [Work(hold=True, owner="slow") for _ in range(3 * count)]
    readers = [productions.join(f"slow {number}", lambda job=job: job) for number, job in enumerate(slow)]
    until(lambda: given.taken == share)
    assert read(productions, "other", Work(b"other", owner="other")) == b"other"
    assert given.taken == share
    for job in slow:
        job.let_go.set()
    assert [rest(reader) for reader in readers] == [b"the bytes"] * len(slow)
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("count", [1, 2])
def test_of_few_places_one_dataset_may_have_all(house: Maker, count: int) -> None:
    given = places(count=count)
    productions = house(given)
    jobs = [Work(hold=True, owner="one") for _ in range(count)]
    readers = [productions.join(str(number), lambda job=job: job) for number, job in enumerate(jobs)]
    until(lambda: given.taken == count)
    for job in jobs:
        job.let_go.set()
    for reader in readers:
        assert rest(reader) == b"the bytes"
        reader.close()


def test_no_more_run_than_there_are_places(house: Maker) -> None:
    given = places(count=2)
    productions = house(given)
    jobs = [Work(hold=True) for _ in range(5)]
    readers = [productions.join(str(number), lambda job=job: job) for number, job in enumerate(jobs)]
    until(lambda: given.waiting == 3)
    assert given.taken == 2
    until(lambda: sum(job.running.is_set() for job in jobs) == 2)
    assert sum(job.running.is_set() for job in jobs) == 2
    for job in jobs:
        job.let_go.set()
    assert [rest(reader) for reader in readers] == [b"the bytes"] * 5
    for reader in readers:
        reader.close()


def test_who_finds_no_place_in_time_is_told_so(house: Maker) -> None:
    productions = house(places(count=1, seconds=0.1))
    holding = productions.join("holder", lambda: Work(hold=True))
    begin = time.monotonic()
    with pytest.raises(Busy):
        read(productions, "waiter", Work())
    assert 0.08 < time.monotonic() - begin < 2
    holding.close()
    until(lambda: not productions.running)
    assert read(productions, "waiter", Work()) == b"the bytes"


def test_a_full_queue_turns_away_at_once(house: Maker) -> None:
    given = places(count=1, most_waiting=1)
    productions = house(given)
    holder = Work(hold=True)
    holding = productions.join("holder", lambda: holder)
    assert holder.running.wait(PATIENCE)
    waiting = productions.join("waiter", Work)
    until(lambda: given.waiting)
    begin = time.monotonic()
    with pytest.raises(Busy):
        read(productions, "too many", Work())
    assert time.monotonic() - begin < 2
    holder.let_go.set()
    assert rest(waiting) == b"the bytes"
    holding.close()
    waiting.close()


def test_memory_admits_what_fits_beside_what_runs(house: Maker) -> None:
    given = places(count=4, memory=10 * MEBIBYTE)
    productions = house(given)
    jobs = [Work(hold=True, memory=size * MEBIBYTE) for size in (6, 6, 4)]
    readers = [productions.join(str(number), lambda job=job: job) for number, job in enumerate(jobs[:2])]
    until(lambda: any(job.running.is_set() for job in jobs) and given.waiting)
    assert sum(job.running.is_set() for job in jobs) == 1
    for job in jobs[:2]:
        job.let_go.set()
    assert [rest(reader) for reader in readers] == [b"the bytes"] * 2
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("over", [1, MEBIBYTE])
def test_what_can_never_fit_is_refused_with_the_numbers(over: int, house: Maker) -> None:
    productions = house(places(memory=64 * MEBIBYTE))
    with pytest.raises(ResultTooLarge, match="need 65 MiB to read; this service has 64 MiB"):
        read(productions, "key", Work(memory=64 * MEBIBYTE + over))
    assert read(productions, "key", Work(memory=64 * MEBIBYTE)) == b"the bytes"


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (DatasetChanged("changed"), DatasetChanged),
        (ValueError("a secret path"), EngineFailed),
        (SystemExit(1), EngineFailed),
    ],
)
def test_a_failure_reaches_every_reader_and_is_not_kept(
    raised: BaseException, seen: type[DownloadError], house: Maker
) -> None:
    productions = house(places(count=1))
    job = Work(failure=raised, hold=True)
    readers = [productions.join("key", lambda: job) for _ in range(3)]
    job.let_go.set()
    for reader in readers:
        with pytest.raises(seen) as caught:
            rest(reader)
        assert "secret" not in str(caught.value)
        assert raised in (caught.value, caught.value.__cause__)
        reader.close()
    assert read(productions, "key", Work(b"anew")) == b"anew"


@pytest.mark.parametrize(
    ("raised", "level"),
    [
        (CellTooLarge("Column 'a' has a long text", "row 2", "take csv"), "WARNING"),
        (ColumnUnsupported("Column 'a' has no text."), "WARNING"),
        (DatasetInvalid("Column 'a' is damaged."), "ERROR"),
        (EngineFailed("The rows could not be read."), "ERROR"),
        (ValueError("nobody expected it"), "ERROR"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else given,
)
def test_only_what_is_to_be_mended_has_a_traceback_in_the_log(
    raised: Exception, level: str, house: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    # Other tests leave it at what they served with.
    caplog.set_level(logging.WARNING, logger=logger.name)
    with pytest.raises(DownloadError):
        read(house(), "key", Work(failure=raised))

    def told() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.levelno >= logging.WARNING]

    # Readers learn of it first.
    assert eventually(told)
    (record,) = told()
    assert record.levelname == level
    assert bool(record.exc_info) == (level == "ERROR")
    assert level == "ERROR" or str(raised) in record.getMessage()


def test_when_no_thread_can_start_the_reader_is_told_and_the_next_one_is_served(
    house: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    productions = house()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        reader = productions.join("key", Work)
    with reader, pytest.raises(Busy):
        rest(reader)
    assert read(productions, "key", Work(b"anew")) == b"anew"


def test_the_quota_drops_the_oldest_unused(house: Maker) -> None:
    productions = house(quota=300)
    for key in ("a", "b", "c"):
        read(productions, key, Work(key.encode() * 100))
    with productions.join("a", never) as reader:
        assert rest(reader) == b"a" * 100
    read(productions, "d", Work(b"d" * 100))
    assert [key for key in "acd" if is_kept(productions, key)] == ["a", "c", "d"]
    assert not is_kept(productions, "b")


def test_small_results_are_kept_in_no_more_files_than_may_be_open(house: Maker, tmp_path: Path) -> None:
    productions = house(files=3)
    before = descriptors(tmp_path)
    for number in range(20):
        read(productions, str(number), Work(b"small"))
        until(lambda: not productions.running)
    assert list(productions.kept_keys) == ["17", "18", "19"]
    assert descriptors(tmp_path) - before == 3


def test_a_result_of_more_files_than_may_be_open_costs_no_other_its_place(house: Maker) -> None:
    productions = house(files=3)
    read(productions, "small", Work(b"small"))
    read(productions, "large", Work(b"l" * (4 * SEGMENT)))
    until(lambda: not productions.running)
    assert list(productions.kept_keys) == ["small"]


def test_a_dropped_tape_is_read_to_its_end_by_those_who_have_it(house: Maker) -> None:
    productions = house(quota=100)
    read(productions, "a", Work(b"a" * 100))
    with productions.join("a", never) as reader:
        read(productions, "b", Work(b"b" * 100))
        assert not is_kept(productions, "a")
        assert rest(reader) == b"a" * 100


@pytest.mark.parametrize(("keep", "quota"), [(1000, MEBIBYTE), (MEBIBYTE, 1000)])
def test_a_result_too_large_to_keep_costs_no_other_its_place(keep: int, quota: int, house: Maker) -> None:
    productions = house(keep=keep, quota=quota)
    read(productions, "small", Work(b"s" * 900))
    assert read(productions, "large", Work(b"l" * 50_000)) == b"l" * 50_000
    assert not is_kept(productions, "large")
    assert is_kept(productions, "small")


def test_without_a_folder_nothing_is_kept_in_memory(house: Maker) -> None:
    productions = house(folder=None)
    for data in (b"small", b"l" * 50_000):
        assert read(productions, "key", Work(data)) == data
        until(lambda: not productions.running)
        assert not productions.kept_keys


def test_without_a_folder_those_who_ask_at_the_same_time_share(house: Maker) -> None:
    productions = house(folder=None)
    job = Work(hold=True)
    readers = [productions.join("key", lambda: job), productions.join("key", never)]
    job.let_go.set()
    assert [rest(reader) for reader in readers] == [job.data] * 2
    for reader in readers:
        reader.close()


def test_a_tape_that_lost_its_start_is_freed_though_another_took_its_key(
    house: Maker, tmp_path: Path
) -> None:
    before = descriptors(tmp_path)
    productions = house(keep=0)
    large = Work(b"l" * 100_000)
    first = productions.join("key", lambda: large)
    for _ in range(20):
        first.read_blocking(SEGMENT)
    second = productions.join("key", lambda: Work(b"s" * 50_000))
    assert rest(second) == b"s" * 50_000
    rest(first)
    first.close()
    second.close()
    until(lambda: descriptors(tmp_path) == before)


def test_a_production_whose_readers_left_is_not_counted_as_kept(house: Maker) -> None:
    class Deaf(Work):
        """Finishes whatever its cancellation says."""

        def _raise_if_cancelled(self) -> None:
            return

    productions = house(quota=100)
    read(productions, "kept", Work(b"k" * 90))
    job = Deaf(b"d" * 1, hold=True)
    productions.join("left", lambda: job).close()
    job.let_go.set()
    until(lambda: not productions.running)
    assert list(productions.kept_keys) == ["kept"]


def test_stopping_fails_every_reader_who_has_not_the_whole(house: Maker) -> None:
    given = places(count=2)
    productions = house(given, keep=0)
    holder, slow, waiter = Work(hold=True), Work(b"s" * 100_000), Work()
    readers = [
        productions.join(str(number), lambda job=job: job) for number, job in enumerate((holder, slow))
    ]
    assert holder.running.wait(PATIENCE)
    assert slow.running.wait(PATIENCE)
    readers.append(productions.join("waiter", lambda: waiter))
    until(lambda: given.waiting)
    productions.close()
    for reader in readers:
        with pytest.raises((Stopping, ProductionCancelled)):
            rest(reader)
        reader.close()
    assert holder.over.wait(PATIENCE)
    assert slow.over.wait(PATIENCE)
    assert not waiter.running.is_set()
    with pytest.raises(Stopping):
        productions.join("new", never)


def test_stopping_lets_those_who_have_the_whole_read_it(house: Maker) -> None:
    productions = house()
    read(productions, "key", Work(b"whole"))
    with productions.join("key", never) as reader:
        productions.close()
        assert rest(reader) == b"whole"


def test_a_production_past_its_deadline_is_stopped_and_told(house: Maker) -> None:
    productions = house(most=0.2)
    work = Work(hold=True)
    with productions.join("key", lambda: work) as reader:
        assert reader.read_blocking(1) == b"t"
        with pytest.raises(DeadlineExceeded, match=r"0\.2 s"):
            reader.read_blocking(1)
    assert work.over.wait(PATIENCE)


def test_what_is_made_of_damaged_data_is_broken_off_and_not_kept(house: Maker) -> None:
    productions = house()
    read(productions, "kept", Work(b"whole" * 1000, hold=False))
    job = Work(b"bad" * 1000, hold=True)
    other = Work(b"good" * 1000, hold=True)
    with (
        productions.join("made", lambda: Work(b"bad" * 1000), "bad") as of_whole,
        productions.join("making", lambda: job, "bad") as of_part,
        productions.join("other", lambda: other, "good") as of_good,
    ):
        until(lambda: "made" in productions.kept_keys)
        assert of_whole.read_blocking(10)
        assert of_part.read_blocking(1)
        productions.break_off("bad", DatasetInvalid("a page is damaged"))
        for reader in (of_whole, of_part):
            with pytest.raises(DatasetInvalid):
                rest(reader)
        assert job.over.wait(PATIENCE)
        other.let_go.set()
        assert rest(of_good) == other.data
    until(lambda: set(productions.kept_keys) == {"kept", "other"})


HOLD = 30.0


def of(client: str) -> Claim:
    """What a client claims that asks in several requests."""
    return Claim(HOLD, client)


def in_head(client: str) -> Claim:
    """The same of one that does not wait for a slot."""
    return Claim(HOLD, client, queues=False)


def test_what_is_held_goes_on_after_its_last_reader_and_serves_the_next_one(house: Maker) -> None:
    clock = Clock()
    productions = house(clock=clock)
    job = Work(b"whole" * 500, hold=True)
    productions.join("key", lambda: job, claim=of("a")).close()
    clock.advance(HOLD - 1)
    assert not job.cancellation.is_set
    with productions.join("key", never) as reader:
        job.let_go.set()
        assert rest(reader) == job.data


def test_what_is_held_is_kept_though_nobody_waited_for_its_end(house: Maker) -> None:
    clock = Clock()
    productions = house(clock=clock)
    job = Work(hold=True)
    productions.join("key", lambda: job, claim=of("a")).close()
    job.let_go.set()
    until(lambda: not productions.running)
    clock.advance(HOLD)
    assert read(productions, "key", Work(b"another")) == job.data


def test_what_is_held_ends_when_nobody_came_in_time(house: Maker) -> None:
    clock = Clock()
    productions = house(clock=clock)
    job = Work(hold=True)
    productions.join("key", lambda: job, claim=of("a")).close()
    clock.advance(HOLD)
    assert job.over.wait(PATIENCE) or not job.running.is_set()
    until(lambda: not productions.running)
    assert read(productions, "key", Work(b"another")) == b"another"


def test_the_time_begins_anew_with_each_who_leaves_last(house: Maker) -> None:
    clock = Clock()
    productions = house(clock=clock)
    job = Work(hold=True)
    productions.join("key", lambda: job, claim=of("a")).close()
    clock.advance(HOLD - 1)
    productions.join("key", never).close()
    clock.advance(HOLD - 1)
    assert not job.cancellation.is_set
    clock.advance(1)
    assert job.cancellation.is_set


def test_one_who_reads_is_not_disturbed_by_the_time_of_those_who_left(house: Maker) -> None:
    clock = Clock()
    productions = house(clock=clock)
    job = Work(hold=True)
    productions.join("key", lambda: job, claim=of("a")).close()
    with productions.join("key", never) as reader:
        clock.advance(10 * HOLD)
        job.let_go.set()
        assert rest(reader) == job.data


def test_one_who_joins_makes_what_runs_go_on_as_long(house: Maker) -> None:
    clock = Clock()
    productions = house(clock=clock)
    job = Work(hold=True)
    first = productions.join("key", lambda: job)
    second = productions.join("key", never, claim=of("a"))
    second.close()
    first.close()
    clock.advance(HOLD - 1)
    assert not job.cancellation.is_set
    clock.advance(1)
    assert job.cancellation.is_set


def test_what_is_held_and_too_large_to_keep_ends_without_a_reader(house: Maker) -> None:
    productions = house(keep=1000)
    job = Work(b"l" * 100_000, hold=True)
    productions.join("key", lambda: job, claim=of("a")).close()
    job.let_go.set()
    until(lambda: not productions.running)
    assert not productions.kept_keys


def test_where_no_thread_can_wait_what_was_left_ends_at_once(house: Maker) -> None:
    class NoThreads(Clock):
        def call_later(self, seconds: float, call: Callable[[], None]) -> Call:
            raise RuntimeError("can't start new thread")

    productions = house(clock=NoThreads())
    job = Work(hold=True)
    productions.join("key", lambda: job, claim=of("a")).close()
    assert job.cancellation.is_set


def test_stopping_does_not_wait_for_what_is_held(house: Maker) -> None:
    productions = house()
    job = Work(hold=True)
    productions.join("key", lambda: job, claim=of("a")).close()
    productions.close()
    assert job.over.wait(PATIENCE) or not job.running.is_set()
    assert not productions.running


def test_a_client_begins_one_that_outlives_it_and_the_process_has_two(house: Maker) -> None:
    productions = house()
    jobs = [Work(hold=True) for _ in range(3)]
    readers = [productions.join("a", lambda: jobs[0], claim=of("a"))]
    with pytest.raises(Busy, match="this client"):
        productions.join("b", Work, claim=of("a"))
    readers.append(productions.join("b", lambda: jobs[1], claim=of("b")))
    with pytest.raises(Busy, match="Too many"):
        productions.join("c", Work, claim=of("c"))
    readers.append(productions.join("a", never, claim=of("c")))
    readers.append(productions.join("c", lambda: jobs[2]))
    for job in jobs:
        job.let_go.set()
    assert {rest(reader) for reader in readers} == {b"the bytes"}
    for reader in readers:
        reader.close()
    until(lambda: not productions.running)
    with productions.join("d", Work, claim=of("a")) as reader:
        assert rest(reader) == b"the bytes"


def test_what_does_not_wait_for_a_slot_is_begun_only_where_one_is_free(house: Maker) -> None:
    given = places(count=2)
    productions = house(given)
    jobs = [Work(hold=True) for _ in range(3)]
    readers = [
        productions.join("a", lambda: jobs[0], claim=in_head("a")),
        productions.join("b", lambda: jobs[1], claim=in_head("a")),
    ]
    with pytest.raises(Busy):
        productions.join("c", Work, claim=in_head("a"))
    readers.append(productions.join("c", lambda: jobs[2]))
    readers.append(productions.join("c", never, claim=in_head("a")))
    until(lambda: given.waiting == 1)
    for job in jobs:
        job.let_go.set()
    assert {rest(reader) for reader in readers} == {b"the bytes"}
    for reader in readers:
        reader.close()


def test_what_does_not_wait_for_a_slot_is_begun_only_within_its_datasets_share(house: Maker) -> None:
    productions = house(places(count=3))
    jobs = [Work(hold=True, owner="one") for _ in range(3)]
    readers = [productions.join(str(number), lambda job=job: job) for number, job in enumerate(jobs)]
    with pytest.raises(Busy):
        productions.join("more", lambda: Work(owner="one"), claim=in_head("a"))
    # Of those three, one waits for its own dataset's, and leaves the last slot to another.
    with productions.join("other", lambda: Work(owner="other"), claim=in_head("a")) as reader:
        assert rest(reader) == b"the bytes"
    for job in jobs:
        job.let_go.set()
    for reader in readers:
        assert rest(reader) == b"the bytes"
        reader.close()


def test_what_does_not_wait_for_a_slot_is_not_begun_without_the_memory(house: Maker) -> None:
    productions = house(places(memory=10))
    job = Work(hold=True, memory=6)
    with productions.join("a", lambda: job):
        with pytest.raises(Busy):
            productions.join("b", lambda: Work(memory=5), claim=in_head("a"))
        productions.join("b", lambda: Work(memory=4), claim=in_head("a")).close()


def test_who_leaves_one_behind_begins_no_other_that_outlives_it(house: Maker) -> None:
    clock = Clock()
    productions = house(clock=clock)
    productions.join("a", lambda: Work(hold=True), claim=in_head("a")).close()
    for claim in (in_head("a"), of("a")):
        with pytest.raises(Busy):
            productions.join("b", Work, claim=claim)
    productions.join("b", lambda: Work(hold=True), claim=in_head("b")).close()
    with pytest.raises(Busy):
        productions.join("c", Work, claim=in_head("c"))
    clock.advance(HOLD)
    until(lambda: not productions.running)
    assert read(productions, "c", Work()) == b"the bytes"
