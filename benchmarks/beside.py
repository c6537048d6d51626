"""What else a download is measured beside: production or compression alone, a static file, a bare start."""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cold_start import starts
from servers import PEERS, PEERS_PYTHON, ROOT, Server, fetch, free_port, ours, server, started, warm

sys.path.insert(0, str(ROOT))

from application.formats.compression import Compressor

# All rows, each time as other bytes, so that each is made; of about the same size.
DIALECTS = [
    f"/long.csv?line_end={end}&bom={bom}&header={header}&delimiter={delimiter}"
    for delimiter in (",", ";")
    for header in ("true", "false")
    for bom in ("false", "true")
    for end in ("lf", "crlf")
][:10]


def compress_alone(coding: str, body: bytes) -> float:
    """Seconds that the compressor takes for a body that is there, by all cores."""
    began = time.perf_counter()
    with Compressor(coding, min(os.cpu_count() or 1, 4)) as compressor:
        compressor.compress(body)
        compressor.finish()
    return time.perf_counter() - began


def beside_others(folder: Path, runs: int) -> list[str]:
    """A coded download, a kept one and a start, each beside what it cannot be quicker than."""
    seconds: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        seconds.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "long.csv"
        for _ in range(runs):
            with server(folder) as running, static(place) as files:
                warm(running, "/long.csv")
                note("csv", fetch(running.port, "/long.csv", str(file))[0])
                # The first is of a file that is fresh, too.
                fetch(files.port, "/long.csv")
                note("kept", fetch(running.port, "/long.csv")[0])
                note("static", fetch(files.port, "/long.csv")[0])
            for coding in ("gzip", "zstd"):
                note(coding, ours(folder, "/long.csv", **{"Accept-Encoding": coding}).total)
                note(f"{coding} alone", compress_alone(coding, file.read_bytes()))
    found = {name: statistics.median(values) for name, values in seconds.items()}
    lines = ["| *long.csv* | seconds | beside | seconds | ratio |", "| --- | ---: | --- | ---: | ---: |"]
    for coding in ("gzip", "zstd"):
        slower = max(("csv", f"{coding} alone"), key=lambda name: found[name])
        beside = "not coded" if slower == "csv" else "compression alone"
        ratio = found[coding] / found[slower]
        lines.append(f"| as {coding} | {found[coding]:.2f} | {beside} | {found[slower]:.2f} | {ratio:.2f} |")
    ratio = found["kept"] / found["static"]
    lines.append(f"| kept | {found['kept']:.2f} | a static file | {found['static']:.2f} | {ratio:.2f} |")
    own, bare = (statistics.median(start.health for start in each) for each in starts(3 * runs))
    lines.append(
        f"| start, until `/health` | {own:.2f} | a bare FastAPI app | {bare:.2f} | {own / bare:.2f} |"
    )
    return lines


def first_and_later(folder: Path, runs: int) -> list[str]:
    """The first and the tenth large download of a process, all of which differ."""
    found = []
    for _ in range(runs):
        with server(folder) as running:
            warm(running, "/long.csv")
            found.append([running.measure(path) for path in DIALECTS])
    lines = ["| *long.csv*, of one process | seconds | CPU | peak |", "| --- | ---: | ---: | ---: |"]
    for name, place in (("first", 0), ("tenth", 9)):
        seconds, cpu, peak = (
            statistics.median(getattr(run[place], what) for run in found) for what in ("total", "cpu", "peak")
        )
        lines.append(f"| {name} | {seconds:.2f} | {cpu:.2f} | {peak / 1e6:.0f} MB |")
    return lines


@contextmanager
def static(folder: str) -> Iterator[Server]:
    port = free_port()
    with started([str(PEERS_PYTHON), str(PEERS), "static", str(port), folder], port) as running:
        yield running
