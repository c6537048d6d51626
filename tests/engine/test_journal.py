"""Who has died of what: journals of processes, trials, and what follows from them."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from application.engine.journal import Journal
from application.engine.suspects import WAIT_SECONDS, Outcome
from application.engine.trials import ChildTrial
from application.engine.verdicts import Verdicts, version_of
from application.errors import Busy, DatasetInvalid
from application.models import ObjectMeta

MODIFIED = datetime(2024, 1, 1, tzinfo=UTC)

# A process that dies while it reads the objects of these names, and has read others whole.
DIES = """
import os, sys
from pathlib import Path
from application.engine.journal import Journal
from application.engine.verdicts import Verdicts
from tests.engine.test_journal import objects
folder = Path(sys.argv[1])
journal = Journal(folder, Verdicts(folder), lambda name, version: None)
with journal.entry(objects("finished"), has_rows=True):
    pass
entries = [journal.entry(objects(name), has_rows=True) for name in sys.argv[2:]]
for entry in entries:
    entry.__enter__()
print("reading", flush=True)
sys.stdin.read()
os.abort()
"""


def objects(name: str, version: str = "1") -> tuple[ObjectMeta, ...]:
    return (ObjectMeta(f"{name}.parquet", 10, MODIFIED, version, version),)


def die(folder: Path, *names: str, code: str = DIES) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(folder), *names]
    finished = subprocess.run(command, cwd=root, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    assert finished.returncode < 0


Opened = Callable[[Path, "Trials"], Journal]


class Trials:
    """Tells of each trial, and what comes of it."""

    def __init__(self, *fatal: str, outcome: Outcome = Outcome.FATAL) -> None:
        self.fatal = fatal
        self.outcome = outcome
        self.tried: list[str] = []

    def __call__(self, name: str, version: str) -> Outcome:
        assert version == version_of(objects(name))
        self.tried.append(name)
        return self.outcome if name in self.fatal else Outcome.SURVIVED


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens journals, as each process does one, and closes them after the test."""
    journals: list[Journal] = []

    def journal(folder: Path, trials: Trials) -> Journal:
        journals.append(Journal(folder, Verdicts(folder), trials))
        return journals[-1]

    yield journal
    for each in journals:
        each.close()


def read(journal: Journal, name: str, version: str = "1") -> None:
    with journal.entry(objects(name, version), has_rows=True):
        pass


def test_what_nobody_died_of_is_not_tried(tmp_path: Path, opened: Opened) -> None:
    trials = Trials()
    first, second = opened(tmp_path, trials), opened(tmp_path, trials)
    with first.entry(objects("a"), has_rows=True):
        read(second, "a")
    die(tmp_path, "b")
    read(first, "a")
    read(first, "finished")
    assert "a" not in trials.tried
    assert "finished" not in trials.tried


def test_only_what_ends_its_trial_too_is_condemned_for_every_process(tmp_path: Path, opened: Opened) -> None:
    die(tmp_path, "killer", "popular", "killer")
    trials = Trials("killer")
    journal = opened(tmp_path, trials)
    read(journal, "popular")
    with pytest.raises(DatasetInvalid, match="ends the process"):
        read(journal, "killer")
    assert sorted(trials.tried) == ["killer", "popular"]
    other = Trials()
    with pytest.raises(DatasetInvalid):
        read(opened(tmp_path, other), "killer")
    read(opened(tmp_path, other), "popular")
    read(opened(tmp_path, other), "killer", "replaced")
    assert not other.tried


def test_what_could_not_be_tried_stays_suspect(tmp_path: Path, opened: Opened) -> None:
    die(tmp_path, "killer")
    trials = Trials("killer", outcome=Outcome.UNTRIED)
    journal = opened(tmp_path, trials)
    for _ in range(2):
        with pytest.raises(Busy):
            read(journal, "killer")
    trials.outcome = Outcome.FATAL
    with pytest.raises(DatasetInvalid):
        read(journal, "killer")


def test_a_trial_for_which_no_thread_starts_is_made_by_who_asks_next(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(tmp_path, "popular", "other")
    trials = Trials()
    journal = opened(tmp_path, trials)
    with monkeypatch.context() as full:

        def start(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        full.setattr(threading.Thread, "start", start)
        with pytest.raises(Busy, match="threads"):
            read(journal, "popular")
    read(journal, "popular")
    read(journal, "other")
    assert sorted(trials.tried) == ["other", "popular"]


def test_a_trial_that_fails_keeps_nobody_waiting_and_is_made_again(tmp_path: Path, opened: Opened) -> None:
    die(tmp_path, "popular")
    journal = opened(tmp_path, Trials())
    turn = tmp_path / "trials.lock"
    # No file can be opened in its place.
    turn.mkdir()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(Busy):
            read(journal, "popular")
        assert time.monotonic() - began < WAIT_SECONDS / 2
    turn.rmdir()
    read(journal, "popular")


def test_a_long_journal_is_begun_again_and_still_read(tmp_path: Path, opened: Opened) -> None:
    code = DIES.replace('objects("finished")', 'objects("finished" * 9000)')
    die(tmp_path, "killer", code=code)
    (journal,) = tmp_path.glob("*.journal")
    assert journal.stat().st_size < 1000
    with pytest.raises(DatasetInvalid):
        read(opened(tmp_path, Trials("killer")), "killer")


def test_a_folder_without_space_for_a_journal_refuses_nothing(tmp_path: Path, opened: Opened) -> None:
    journal = opened(tmp_path / "absent", Trials())
    read(journal, "a")


CHILDREN: list[tuple[str, Outcome]] = [
    ("", Outcome.SURVIVED),
    ("os.abort()", Outcome.FATAL),
    ("os.kill(os.getpid(), signal.SIGSEGV)", Outcome.FATAL),
    # As the system does where memory is short, or an operator.
    ("os.kill(os.getpid(), signal.SIGKILL)", Outcome.SURVIVED),
    ("sys.exit(3)", Outcome.UNTRIED),
    ("signal.pause()", Outcome.SURVIVED),
    ("held = bytearray(os.urandom(1 << 20) * 300); signal.pause()", Outcome.SURVIVED),
]


@pytest.mark.parametrize(("does", "outcome"), CHILDREN)
def test_only_a_death_of_its_own_convicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, outcome: Outcome
) -> None:
    (tmp_path / "child.py").write_text(f"import os, signal, sys\n{does}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ChildTrial("child", "{}", seconds=2, memory=200 << 20)("name", "version") is outcome


@contextmanager
def dying(folder: Path, name: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that reads, and dies when its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", DIES, str(folder), name],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "reading\n"
        yield process


def test_a_third_process_looks_first_how_two_others_fare(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.engine.journal.TURN_SECONDS", 60)
    trials = Trials("killer")
    journal = opened(tmp_path, trials)
    with ThreadPoolExecutor(1) as pool, dying(tmp_path, "killer") as first:
        # There is a place for it beside one.
        read(journal, "other")
        with dying(tmp_path, "killer") as second:
            reading = pool.submit(read, journal, "killer")
            read(journal, "another")
            assert not reading.done()
            for process in (first, second):
                process.communicate()
            with pytest.raises(DatasetInvalid):
                reading.result(30)
    assert trials.tried == ["killer"]


def test_what_was_read_to_the_end_needs_no_turn(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path, Trials())
    read(journal, "popular")
    monkeypatch.setattr("application.engine.journal.TURN_SECONDS", 3600)
    with dying(tmp_path, "popular"), dying(tmp_path, "popular"):
        read(journal, "popular")


def test_two_who_live_hold_up_a_third_for_a_while_only(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.engine.journal.TURN_SECONDS", 0.1)
    with dying(tmp_path, "popular"), dying(tmp_path, "popular"):
        read(opened(tmp_path, Trials()), "popular")
