"""How much the spool may take of what the whole machine and process need."""

import resource
import shutil
import sys
from pathlib import Path

from application.spool.segments import SEGMENT_BYTES

# The part of what results may take that segments to be used again may take beside it, and the most segments.
POOL_SHARE = 8
MOST_POOLED = 32


def disk_quota(folder: Path | None, most: int) -> int:
    """Bytes of results to keep in a folder: never more than half of the disk, which others need too."""
    return min(most, shutil.disk_usage(folder).total // 2) if folder else 0


def most_files() -> int:
    """Files that results may be kept in: half of what the process may open, which clients need too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft // 2


def most_pooled(most_bytes: int, files: int) -> int:
    """Segments to keep for use again where results may take so many bytes and open files."""
    return min(MOST_POOLED, files // POOL_SHARE, most_bytes // POOL_SHARE // SEGMENT_BYTES)
