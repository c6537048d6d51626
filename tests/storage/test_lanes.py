"""Threads that wait for storage, and their shares."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from application.errors import Busy, Stopping
from application.storage.lanes import Lanes, outcome

PATIENCE = 10.0


class Stuck:
    """Work that goes on until it is let go, and counts how many do it."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self) -> str:
        self.begun.release()
        assert self.let_go.wait(PATIENCE)
        return "done"


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    found = Stuck()
    yield found
    found.let_go.set()


def test_work_is_done_and_its_failure_told() -> None:
    lanes = Lanes(2, 1)
    assert lanes.begin("a", lambda: 42).result(PATIENCE) == 42
    with pytest.raises(ZeroDivisionError):
        lanes.begin("a", lambda: 1 // 0).result(PATIENCE)


def test_a_lane_takes_no_more_than_its_share(stuck: Stuck) -> None:
    lanes = Lanes(4, 2)
    held = [lanes.begin("slow", stuck) for _ in range(20)]
    assert lanes.begin("other", lambda: 1).result(PATIENCE) == 1
    assert [stuck.begun.acquire(timeout=PATIENCE) for _ in range(2)] == [True, True]
    assert not stuck.begun.acquire(blocking=False)
    stuck.let_go.set()
    assert [each.result(PATIENCE) for each in held] == ["done"] * 20


def test_what_nobody_wants_any_more_crowds_nobody(stuck: Stuck) -> None:
    lanes = Lanes(1, 1)
    held = lanes.begin("a", stuck)
    wanted = lanes.begin("a", lambda: 1)
    assert lanes.is_crowded
    wanted.cancel()
    assert not lanes.is_crowded
    stuck.let_go.set()
    assert held.result(PATIENCE) == "done"


def test_all_lanes_together_take_no_more_than_there_is(stuck: Stuck) -> None:
    lanes = Lanes(2, 2)
    held = [lanes.begin(name, stuck) for name in "abc"]
    last = lanes.begin("d", lambda: 1)
    assert not last.done()
    stuck.let_go.set()
    assert [each.result(PATIENCE) for each in held] == ["done"] * 3
    assert last.result(PATIENCE) == 1


def test_work_whose_task_is_cancelled_before_it_begins_is_not_done(stuck: Stuck) -> None:
    lanes, done = Lanes(1, 1), []

    async def leave() -> None:
        task = asyncio.create_task(lanes.run("a", lambda: done.append(1)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    held = lanes.begin("a", stuck)
    asyncio.run(leave())
    stuck.let_go.set()
    assert held.result(PATIENCE) == "done"
    assert lanes.begin("a", lambda: 1).result(PATIENCE) == 1
    assert done == []


def test_several_tasks_wait_for_one_outcome_and_one_that_leaves_takes_nothing(stuck: Stuck) -> None:
    lanes = Lanes(1, 1)

    async def wait() -> list[str]:
        future = lanes.begin("a", stuck)
        with pytest.raises(TimeoutError):
            await outcome(future, 0.01)
        waiting = [asyncio.create_task(outcome(future)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        stuck.let_go.set()
        return await asyncio.gather(*waiting[1:])

    assert asyncio.run(wait()) == ["done", "done"]


def test_an_outcome_that_comes_when_the_loop_is_gone_is_passed_over(stuck: Stuck) -> None:
    lanes = Lanes(1, 1)

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await outcome(future, 0.01)

    future = lanes.begin("a", stuck)
    asyncio.run(leave())
    stuck.let_go.set()
    assert future.result(PATIENCE) == "done"


def test_closing_ends_what_waits_in_line(stuck: Stuck) -> None:
    lanes = Lanes(1, 1)
    held, waiting = lanes.begin("a", stuck), lanes.begin("a", lambda: 1)
    lanes.close(0)
    stuck.let_go.set()
    with pytest.raises(Stopping):
        waiting.result(PATIENCE)
    assert held.result(PATIENCE) == "done"
    with pytest.raises(Stopping):
        lanes.begin("a", lambda: 1)


def test_where_no_thread_can_start_the_service_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    lanes = Lanes(2, 1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Busy):
            lanes.begin("a", lambda: 1)
    assert lanes.begin("a", lambda: 1).result(PATIENCE) == 1
