"""The parts of each page put together, for one request."""
