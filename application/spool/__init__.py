"""Tapes: a download's bytes while and after they are made. The room knows no engine and no HTTP."""

from application.spool.latest import LATEST_BYTES
from application.spool.pool import SegmentPool
from application.spool.quotas import disk_quota, most_files, most_pooled
from application.spool.reader import Reader
from application.spool.segments import NO_SPACE, SEGMENT_BYTES, is_in_memory
from application.spool.tape import Tape

__all__ = [
    "LATEST_BYTES",
    "NO_SPACE",
    "SEGMENT_BYTES",
    "Reader",
    "SegmentPool",
    "Tape",
    "disk_quota",
    "is_in_memory",
    "most_files",
    "most_pooled",
]
