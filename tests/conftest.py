"""What holds for all tests: which examples properties are tried with, and which modules go first."""

import gc
import os

import pytest
from hypothesis import settings

# What passed here passes in CI, where nobody is to be told of a fault that their change has not made.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, print_blob=True)
# `make explore`: examples that nobody has seen, and those that failed before.
settings.register_profile("random", derandomize=False, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("EXAMPLES", "repeatable"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that take long go first, lest one process have the last of them while the others have none."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no search for garbage looks through it again."""
    gc.freeze()
