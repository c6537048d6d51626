"""What an answer may carry, by bytes and by the time that is left."""

import time

import pytest

from application.downloads.limits import BURST_BYTES, BYTES_PER_SECOND, MARGIN_SECONDS, Limits
from application.errors import AnswerTooLarge


def test_without_limits_everything_fits() -> None:
    Limits().check(1 << 60)
    assert Limits().seconds_left is None


def test_bytes_up_to_the_limit_fit_and_one_more_does_not() -> None:
    limits = Limits(200_000_000)
    limits.check(200_000_000)
    with pytest.raises(AnswerTooLarge, match=r"200,000,001 bytes.*200,000,000"):
        limits.check(200_000_001)


def test_what_cannot_be_sent_before_the_deadline_does_not_fit() -> None:
    limits = Limits(None, time.time() + MARGIN_SECONDS + 10)
    limits.check(BURST_BYTES + 9 * BYTES_PER_SECOND)
    with pytest.raises(AnswerTooLarge, match=r"in the 10 s"):
        limits.check(BURST_BYTES + 11 * BYTES_PER_SECOND)


def test_past_the_deadline_no_time_is_left() -> None:
    assert Limits(None, time.time()).seconds_left == 0
