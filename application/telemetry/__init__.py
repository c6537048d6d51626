"""What an operator sees: logs, metrics, traces; imported by every room, imports none of ours."""

import logging

logger = logging.getLogger("download")
