"""Who may run beside what runs: places for short work, the cores, the memory, and fairness."""

from dataclasses import dataclass

import pytest

from application.errors import ResultTooLarge
from application.production.admission import SHORT_BYTES, WINDOW_SECONDS, Admission, Cores, Work

MEBIBYTE = 1 << 20
EIGHT = Admission(most=8, memory=1024 * MEBIBYTE, cores=2)


def large(client: str = "a", owner: str = "x", memory: int = 0) -> Work:
    return Work(owner, client, memory)


def short(client: str = "a", owner: str = "x", memory: int = 0) -> Work:
    return Work(owner, client, memory, SHORT_BYTES)


def filled(admission: Admission, works: list[Work], *, has_room: bool = False) -> list[Work]:
    """Those of the works that run once nobody more may begin."""
    running: list[Work] = []
    waiting = list(works)
    while work := admission.next(waiting, running, has_room=has_room):
        waiting.remove(work)
        running.append(work)
    return running


def test_as_many_large_ones_run_as_there_are_cores_but_two_at_least() -> None:
    for cores, expected in ((1, 2), (2, 2), (4, 4)):
        admission = Admission(most=16, memory=0, cores=cores)
        assert len(filled(admission, [large() for _ in range(20)])) == expected


def test_a_short_one_begins_beside_all_large_ones_that_there_may_be() -> None:
    running = filled(EIGHT, [large(str(number), str(number)) for number in range(20)], has_room=True)
    assert len(running) == 6
    assert not EIGHT.admits(large("new", "new"), running, has_room=True)
    assert EIGHT.admits(short("new", "new"), running)


def test_a_short_one_begins_though_the_large_ones_have_all_the_memory() -> None:
    admission = Admission(most=8, memory=64 * MEBIBYTE, cores=2)
    running = [large(memory=64 * MEBIBYTE)]
    assert admission.admits(short(memory=8 * MEBIBYTE), running)
    assert not admission.admits(short(memory=9 * MEBIBYTE), running)
    assert not admission.admits(large("b", memory=1), running)


def test_short_ones_are_bounded_by_the_cores_too() -> None:
    assert len(filled(Admission(most=16, memory=0, cores=2), [short() for _ in range(20)])) == 4


def test_nothing_runs_beyond_the_ceiling() -> None:
    for most in range(1, 10):
        admission = Admission(most, memory=0, cores=64)
        works = [make(str(number), str(number)) for number in range(20) for make in (large, short)]
        running = filled(admission, works, has_room=True)
        assert len(running) == most
        assert sum(not work.is_short for work in running) <= max(1, most - most // 4)


def test_a_client_that_has_none_begins_beside_the_large_ones_of_another() -> None:
    running = filled(EIGHT, [large("a") for _ in range(6)])
    assert len(running) == 2
    assert not EIGHT.admits(large("a"), running)
    assert EIGHT.admits(large("b"), running)


def test_a_dataset_of_which_none_is_made_begins_beside_those_of_another() -> None:
    running = [large("a", "x"), large("a", "x")]
    assert EIGHT.admits(large("a", "y"), running)


def test_many_clients_do_not_begin_all_at_once() -> None:
    assert len(filled(EIGHT, [large(str(number), str(number)) for number in range(20)])) == 4


@pytest.mark.parametrize("make", [large, short])
def test_one_client_or_one_dataset_never_has_all_places(make: type[Work]) -> None:
    of_client = filled(EIGHT, [make("a", str(number)) for number in range(20)], has_room=True)
    of_dataset = filled(EIGHT, [make(str(number), "x") for number in range(20)], has_room=True)
    assert len(of_client) == len(of_dataset) == (5 if make is large else 7)
    for running in (of_client, of_dataset):
        assert EIGHT.admits(make("other", "other"), running, has_room=True)


def test_the_next_is_of_whom_has_least_then_who_asked_first() -> None:
    running = [large("a"), large("a")]
    waiting = [large("a"), large("b"), large("c", "y"), large("c", "x")]
    assert EIGHT.next(waiting, running, has_room=True) is waiting[2]
    assert EIGHT.next([*waiting, late := short("a")], running) is late
    assert EIGHT.next(waiting[:2], []) is waiting[0]


def test_what_waits_for_memory_is_passed_by_short_work_only() -> None:
    admission = Admission(most=8, memory=100, cores=4)
    running, hungry, modest, quick = [large(memory=60)], large("b", memory=50), large("c", memory=1), short()
    assert admission.next([hungry, modest], running) is None
    assert admission.next([hungry, modest, quick], running) is quick
    assert admission.next([hungry, modest], []) is hungry
    assert admission.next([modest, short(memory=60)], running) is None


def test_what_is_not_to_wait_begins_only_where_those_who_wait_leave_a_place() -> None:
    assert EIGHT.would_admit(large("b"), [large("a")])
    assert not EIGHT.would_admit(large("a"), [large("a") for _ in range(3)])
    assert not EIGHT.would_admit(large("b"), [large("a", memory=1024 * MEBIBYTE), large("a", memory=1)])


def test_what_can_never_fit_is_refused_with_the_numbers() -> None:
    EIGHT.check(large(memory=1024 * MEBIBYTE))
    with pytest.raises(ResultTooLarge, match="need 1025 MiB to read; this service has 1024 MiB"):
        EIGHT.check(large(memory=1024 * MEBIBYTE + 1))


@dataclass
class Machine:
    """A clock, and the CPU seconds that were used by then."""

    now: float = 100.0
    used: float = 7.0

    def cores(self) -> Cores:
        return Cores(2, lambda: self.used, lambda: self.now)

    def work(self, share: float, windows: float = 1.0) -> None:
        """Let time pass, in which so much of two cores is used."""
        self.now += windows * WINDOW_SECONDS
        self.used += share * 2 * windows * WINDOW_SECONDS


def test_cores_have_room_where_half_of_their_time_was_idle() -> None:
    machine = Machine()
    cores = machine.cores()
    for share, has_room in ((0.0, True), (0.45, True), (0.55, False), (1.0, False), (0.2, True)):
        machine.work(share)
        assert cores.take_room() is has_room, share


def test_room_is_taken_once_in_a_window() -> None:
    machine = Machine()
    cores = machine.cores()
    machine.work(0.0)
    assert cores.take_room()
    assert not cores.take_room()
    machine.work(0.0, 0.5)
    assert not cores.take_room()
    machine.work(0.0, 0.5)
    assert cores.take_room()


def test_idle_time_in_which_nobody_waited_is_no_room() -> None:
    machine = Machine()
    cores = machine.cores()
    machine.work(0.0, 100)
    assert not cores.take_room()
    machine.work(0.0)
    assert cores.take_room()
