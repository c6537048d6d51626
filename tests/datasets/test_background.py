"""What is done beside serving, by whom and in what order."""

import logging
import os
import sys
import threading
from contextvars import ContextVar

import pytest

from application.datasets import background
from application.datasets.background import Background
from application.telemetry import logger
from tests.support.serving import eventually

WHO = ContextVar("who", default="nobody")
NAME = "work of the tests"


def workers() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def test_work_is_done_in_its_order_by_one_thread_that_ends_and_begins_anew() -> None:
    done: list[tuple[int, str, int]] = []
    free = threading.Event()

    def work(item: int) -> None:
        assert free.wait(10)
        done.append((item, WHO.get(), workers()))

    beside = Background(NAME, work)
    for item in range(3):
        WHO.set(f"who asked for {item}")
        assert beside.begin(item)
    assert not done
    free.set()
    assert eventually(lambda: not workers())
    # Each in the context of who asked for it.
    assert done == [(item, f"who asked for {item}", 1) for item in range(3)]
    assert beside.begin(3)
    assert eventually(lambda: not workers())
    assert done[-1][0] == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
@pytest.mark.parametrize("gives_way", [True, False])
def test_only_who_gives_way_has_the_least_priority(gives_way: bool) -> None:
    found: list[int] = []
    usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work(item: None) -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    assert Background(NAME, work, gives_way=gives_way).begin(None)
    assert eventually(lambda: found)
    assert found == [background.LEAST_PRIORITY if gives_way else usual]


def test_what_fails_is_logged_and_keeps_nobody_from_theirs(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.ERROR, logger=logger.name)
    done: list[int] = []

    def work(item: int) -> None:
        done.append(1 // item)

    beside = Background(NAME, work)
    beside.begin(0)
    beside.begin(1)
    assert eventually(lambda: not workers())
    assert done == [1]
    assert "ZeroDivisionError" in caplog.text


def test_what_no_thread_can_do_is_refused_and_begun_anew_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    beside = Background(NAME, done.append)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert not beside.begin(1)
    assert beside.begin(2)
    assert eventually(lambda: not workers())
    assert done == [2]


def test_a_stop_tells_what_is_being_done_and_what_waits() -> None:
    told: list[bool] = []
    begun = threading.Event()

    def work(item: int) -> None:
        begun.set()
        told.append(beside.stopping.wait(10))

    beside = Background(NAME, work)
    for item in range(3):
        beside.begin(item)
    assert begun.wait(10)
    beside.close()
    assert told == [True] * 3
    assert not workers()
