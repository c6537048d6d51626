"""Logging for every room; imports none of ours."""

import logging
import sys
from typing import TextIO

logger = logging.getLogger("download")


class _StandardError(logging.Handler):
    """Writes to whatever standard error is at the moment, which tests and servers replace."""

    def emit(self, record: logging.LogRecord) -> None:
        stream: TextIO = sys.stderr
        stream.write(self.format(record) + "\n")
        stream.flush()


def configure_logging(level: str) -> None:
    """Send the service's own lines to standard error, in one plain form."""
    if not logger.handlers:
        handler = _StandardError()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(level.upper())
