"""A cancellation stops its query, however far that has come."""

import threading

import pytest

from application.engine.cancellation import Cancellation
from application.errors import ProductionCancelled


class Query:
    """A query that hears an interrupt only from the third on, as one does that has not quite begun."""

    def __init__(self) -> None:
        self.interrupts = 0
        self.ended = threading.Event()

    def interrupt(self) -> None:
        self.interrupts += 1
        if self.interrupts >= 3:
            self.ended.set()


def test_a_query_that_has_not_quite_begun_is_interrupted_until_it_hears() -> None:
    cancellation, query = Cancellation(), Query()
    with cancellation.attached(query):
        cancellation.set()
        assert query.ended.wait(10)


def test_a_query_that_has_ended_is_let_alone() -> None:
    cancellation, query = Cancellation(), Query()
    with cancellation.attached(query):
        cancellation.set()
    told = query.interrupts
    for thread in [each for each in threading.enumerate() if each.name == "cancellation"]:
        thread.join(10)
        assert not thread.is_alive()
    assert query.interrupts == told >= 1


def test_what_is_cancelled_runs_no_query() -> None:
    cancellation = Cancellation()
    cancellation.set()
    with pytest.raises(ProductionCancelled), cancellation.attached(Query()):
        pytest.fail("it ran")
