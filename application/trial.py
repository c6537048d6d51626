"""The process in which a suspect dataset is read: `python -m application.trial`, told on its input.

It ends with status 0 where the dataset was read, or was refused as any download of it would be; with
UNTRIED_STATUS where storage did not answer; or it dies.
"""

import json
import os
import resource
import sys
from contextlib import suppress

from application.datasets.catalogue import Catalogue
from application.engine.cancellation import Cancellation
from application.engine.database import Database
from application.engine.scan import Engine
from application.engine.trials import UNTRIED_STATUS
from application.engine.verdicts import version_of
from application.errors import Busy, DownloadError, StorageStalled, StorageUnavailable
from application.models import Query
from application.storage import open_storage


def main() -> int:
    """Read what the input names: JSON about storage and engine, a dataset's name, and its version."""
    task, name, version = sys.stdin.read().splitlines()
    given = json.loads(task)
    # Nobody looks at the memory of a process that was meant to die.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    storage = open_storage(**given["storage"])
    engine = Engine(storage, Database(storage, temp_directory=None, **given["engine"]))
    try:
        dataset = Catalogue(storage, engine, 0).get(name)
        if version_of(dataset.objects) == version:
            for _ in engine.batches(dataset, Query(dataset.columns), Cancellation()):
                pass
    except (StorageUnavailable, StorageStalled, Busy):
        return UNTRIED_STATUS
    except DownloadError:
        return 0
    with suppress(DownloadError):
        engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
