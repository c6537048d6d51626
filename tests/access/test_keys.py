"""Which keys are good."""

import pytest

from application.access.keys import parse_keys
from application.errors import ConfigurationError


def test_each_of_several_keys_is_good_and_has_a_name_of_its_own() -> None:
    keys = parse_keys("first-key, second-key,,ключ")
    names = [keys.find(key.encode()) for key in ("first-key", "second-key", "ключ")]
    assert None not in names
    assert len(set(names)) == 3


@pytest.mark.parametrize("given", ["", "first-ke", "first-key2", "FIRST-KEY", "first-key,second-key", ","])
def test_anything_else_is_no_key(given: str) -> None:
    assert parse_keys("first-key,second-key").find(given.encode()) is None


def test_the_name_of_a_key_tells_nothing_of_it() -> None:
    name = parse_keys("first-key").find(b"first-key")
    assert name is not None
    assert "first" not in name
    assert name == parse_keys("other,first-key").find(b"first-key")


def test_without_keys_none_is_asked_for() -> None:
    assert not parse_keys(None)


@pytest.mark.parametrize("text", [",", "  ", " , ,"])
def test_a_setting_without_a_key_in_it_does_not_open_the_service(text: str) -> None:
    with pytest.raises(ConfigurationError, match="API_KEY is set, but no key is in it"):
        parse_keys(text)
