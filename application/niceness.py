"""How far threads leave the cores to others, as nice(1) has it: first the event loop, then short work."""

import os
import sys
import threading
from contextlib import suppress

SHORT, LARGE = 5, 15


def stand_back(niceness: int) -> None:
    """Leave the cores to others first: this thread, and those that it begins. It cannot be taken back."""
    # Elsewhere it would be the whole process.
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
