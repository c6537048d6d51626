"""Logging for every room; imports none of ours."""

import logging
import sys

logger = logging.getLogger("download")


def configure_logging(level: str = "INFO") -> None:
    """Send the service's own lines to stderr once, in one plain form."""
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
