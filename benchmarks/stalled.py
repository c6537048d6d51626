"""Measures what clients that take nothing cost, and what two columns read from a URL move.

200 clients ask for wide.csv (about 200 MB) and read nothing; meanwhile the server's memory, /health and a
small download are measured, before and during. Then DuckDB, pandas and pyarrow read two columns of
wide.parquet by its address, through a proxy that counts bytes.
"""

import argparse
import socket
import statistics
import sys
import time
from pathlib import Path

from make_data import FOLDER, make
from servers import fetch, health, server

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.proxy import proxying
from tests.support.readers import READERS

SMALL = "/wide.csv?entity=1&field=entity"
SAMPLES = 50


def memory(pid: int) -> int:
    """Bytes of resident memory now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def figures(port: int) -> tuple[float, float]:
    """Medians in seconds: of /health, and of a small download that no cache answers."""
    healths = [seconds for _ in range(SAMPLES) if (seconds := health(port)) is not None]
    smalls = []
    for _ in range(9):
        started = time.perf_counter()
        fetch(port, f"/wide.csv?entity={time.time_ns()}&field=entity")
        smalls.append(time.perf_counter() - started)
    return statistics.median(healths), statistics.median(smalls)


def stalled(folder: Path, clients: int) -> None:
    with server(folder) as running:
        fetch(running.port, SMALL)
        idle, before = memory(running.process.pid), figures(running.port)
        open_ones = []
        for _ in range(clients):
            client = socket.create_connection(("127.0.0.1", running.port))
            client.sendall(b"GET /wide.csv HTTP/1.1\r\nHost: x\r\n\r\n")
            open_ones.append(client)
        time.sleep(5)
        during = figures(running.port)
        held = memory(running.process.pid)
        for client in open_ones:
            client.close()
    print(f"{clients} stalled clients: {idle / 1e6:.0f} MB before, {held / 1e6:.0f} MB during")
    print(f"  /health {before[0] * 1e3:.1f} ms before, {during[0] * 1e3:.1f} ms during (medians)")
    print(f"  a small download {before[1] * 1e3:.0f} ms before, {during[1] * 1e3:.0f} ms during (medians)")


def columns_by_url(folder: Path) -> None:
    size = (folder / "wide.parquet").stat().st_size
    with server(folder) as running:
        for name, read in READERS.items():
            with proxying(f"http://127.0.0.1:{running.port}") as proxy:
                rows = read(f"{proxy.url}/wide.parquet", ["entity", "reference"]).num_rows
            print(f"{name}, two columns of wide.parquet by URL: ", end="")
            print(f"{rows:,} rows, {proxy.received:,} of {size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    options = parser.parse_args()
    make(FOLDER)
    stalled(FOLDER, options.clients)
    columns_by_url(FOLDER)


if __name__ == "__main__":
    main()
