"""How long an export that failed is left alone."""

import json

import pytest

from application.downloads.notes import MOST_SECONDS, Note


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, MOST_SECONDS), (5000, MOST_SECONDS)]
)
def test_what_fails_again_is_left_alone_for_longer_up_to_a_bound(failures: int, seconds: float) -> None:
    assert Note(1000, failures, "It failed.", is_making=False).until == 1000 + seconds


def test_what_passes_by_itself_is_begun_again_sooner_but_not_at_once() -> None:
    waits = [Note(0, failures, None, is_making=False).until for failures in (1, 2, 3, 50)]
    assert waits == [2, 4, 8, MOST_SECONDS]


@pytest.mark.parametrize("note", [Note(5, 2), Note(5, 3, "Why.", is_making=False), Note(5, 1, None, False)])
def test_a_note_is_read_as_it_was_written(note: Note) -> None:
    assert Note.read(note.written()) == note


@pytest.mark.parametrize(
    ("text", "note"),
    [({"time": 5}, Note(5)), ({"time": 5, "failure": "Why."}, Note(5, 1, "Why.", is_making=False))],
)
def test_a_note_of_an_earlier_version_is_understood(text: dict[str, object], note: Note) -> None:
    assert Note.read(json.dumps(text).encode()) == note
