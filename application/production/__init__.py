"""Who makes the bytes of results, how many at a time, and what stops them; knows jobs and tapes, no plan."""
