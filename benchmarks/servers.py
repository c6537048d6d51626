"""Starting servers and measuring their processes: seconds, CPU seconds, and memory at the peak."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS_PYTHON = ROOT / ".venv-bench/bin/python"
PEERS = Path(__file__).with_name("peers.py")
READ_BYTES = 1 << 20
# pyarrow imports pandas where it is there: the tests have it, a deployed service does not.
SERVE = """
import sys
class WithoutPandas:
    def find_spec(self, name, *_):
        if name == "pandas":
            raise ModuleNotFoundError("no pandas here", name=name)
sys.meta_path.insert(0, WithoutPandas())
from application.cli import main
sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds to the end and to the body's first byte, CPU seconds, and bytes of memory at the peak."""

    total: float
    first_byte: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where, and its process."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def peak(self) -> int:
        return peak_of(self.pid)

    def measure(self, path: str, **headers: str) -> Measured:
        """One download from it."""
        before = cpu_of(self.pid)
        total, first, _ = fetch(self.port, path, headers=headers)
        return Measured(total, first, cpu_of(self.pid) - before, self.peak())


def peak_of(pid: int | str) -> int:
    # Not getrusage: a new process starts with its parent's peak there.
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


@contextmanager
def started(command: Sequence[str], port: int, **environment: str) -> Iterator[Server]:
    """A server by its command, once /health or any other answer comes."""
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log) as process,
    ):
        try:
            while health(port) is None:
                if process.poll() is not None:
                    log.seek(0)
                    sys.exit(log.read().decode())
                time.sleep(0.05)
            yield Server(port, process)
        finally:
            process.terminate()


@contextmanager
def server(folder: Path, **environment: str) -> Iterator[Server]:
    """Ours."""
    port = free_port()
    command = [sys.executable, "-c", SERVE, "serve", "--port", str(port)]
    given = {"DATASET_BUCKET": folder.resolve().as_uri(), "DATASET_PREFIX": "/", **environment}
    with started(command, port, **given) as running:
        yield running


def ours(folder: Path, path: str, **headers: str) -> Measured:
    """One download from a new server of ours, whose imports a small one of the same format made before."""
    with server(folder) as running:
        warm(running, path)
        return running.measure(path, **headers)


def warm(running: Server, path: str) -> None:
    """Have a server import what a format takes, and polars, which reads many rows of any format."""
    extension = path.partition("?")[0].rpartition(".")[2]
    for each in {extension, "ndjson"}:
        fetch(running.port, f"/long.{each}?organisation-entity=1&field=entity")


def health(port: int) -> float | None:
    """Seconds that /health takes on a new connection, or None while nothing answers."""
    began = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except OSError:
        return None
    finally:
        connection.close()
    return time.perf_counter() - began


def fetch(
    port: int, path: str, output: str = os.devnull, headers: dict[str, str] | None = None
) -> tuple[float, float, int]:
    """Seconds to the end, seconds to the body's first byte, bytes; raises on a status or a short body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=1800)
    buffer = memoryview(bytearray(READ_BYTES))
    size = 0
    began = time.perf_counter()
    connection.request("GET", path, headers=headers or {})
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {response.read(500)!r}")
    with Path(output).open("wb") as file:
        size += file.write(response.read(1))
        first = time.perf_counter() - began
        while count := response.readinto(buffer):
            size += file.write(buffer[:count])
    total = time.perf_counter() - began
    connection.close()
    return total, first, size
