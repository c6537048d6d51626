"""The keys of the buckets, and nobody's own settings."""

import os
from collections.abc import Iterator

import pytest

from application.formats import FORMATS

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"
# The formats of any dataset whose files do not name the object that they were made of.
SOURCELESS = [name for name, row in FORMATS.items() if not (row.words or row.geometry)]


@pytest.fixture(autouse=True, scope="module")
def _environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "DATASET_", "SPOOL_"))]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        yield
