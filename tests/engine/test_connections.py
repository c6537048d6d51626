"""When an answer trickles."""

import pytest

from application.engine.connections import Answer

KIB = 1 << 10


@pytest.mark.parametrize(
    ("size", "often", "at", "trickles"),
    [
        (1, 1, 29, False),  # within what a request may take
        (1, 1, 31, True),
        (63 * KIB, 1, 3000, True),
        (65 * KIB, 1, 3000, False),
        (1, 9, 100, True),
        (1, 40, 95, False),  # silent, which the engine itself notices
    ],
)
def test_an_answer_trickles_when_it_is_late_and_slow(size: int, often: int, at: int, trickles: bool) -> None:
    answer = Answer(asked=500, began=0, before=0)
    for second in range(1, at + 1):
        answer.look(500, size * (second // often), second)
    assert answer.is_trickling(30, at) is trickles


def test_the_next_request_on_a_connection_begins_anew() -> None:
    answer = Answer(asked=500, began=0, before=0)
    answer.look(500, 10_000 * KIB, 5)
    answer.look(1000, 10_000 * KIB, 100)
    answer.look(1000, 10_000 * KIB + 3, 129)
    assert not answer.is_trickling(30, 129)
    answer.look(1000, 10_000 * KIB + 4, 131)
    assert answer.is_trickling(30, 131)


def test_a_connection_that_is_not_in_use_does_not_trickle() -> None:
    answer = Answer(asked=500, began=0, before=0)
    for second in range(1, 100):
        answer.look(500, 2000, second)
    assert not answer.is_trickling(30, 99)
