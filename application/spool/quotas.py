"""How much the spool may take of what the whole machine and process need."""

import resource
import shutil
import sys
from pathlib import Path


def disk_quota(folder: Path | None, most: int) -> int:
    """Bytes of results to keep in a folder: never more than half of the disk, which others need too."""
    return min(most, shutil.disk_usage(folder).total // 2) if folder else 0


def most_files() -> int:
    """Files that results may be kept in: half of what the process may open, which clients need too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft // 2
