"""How examples are found for the tests of properties: the same ones at each run, or others each time."""

import os

from hypothesis import settings

# What passed here passes in CI, where nobody is to be told of a fault that their change has not made.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, print_blob=True)
# `make explore`: examples that nobody has seen, and those that failed before.
settings.register_profile("random", derandomize=False, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("EXAMPLES", "repeatable"))
