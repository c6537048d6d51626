"""Folders of files in the making go with their owner, also with one that was killed."""

import subprocess
import sys
from pathlib import Path

from application.engine.folders import WorkFolder, sweep

KILLED = """
import os, signal, sys
from pathlib import Path
from application.engine.folders import WorkFolder
folder = WorkFolder(Path(sys.argv[1]))
(folder.path / "rows.arrow").write_bytes(b"rows")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_goes_with_its_owner(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path)
    (folder.path / "rows.arrow").write_bytes(b"rows")
    folder.close()
    folder.close()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(tmp_path: Path) -> None:
    mine = WorkFolder(tmp_path)
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    (left,) = set(tmp_path.iterdir()) - {mine.path}
    assert (left / "rows.arrow").exists()
    another = WorkFolder(tmp_path)
    assert set(tmp_path.iterdir()) == {mine.path, another.path}
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {mine.path, another.path}
    mine.close()
    another.close()
