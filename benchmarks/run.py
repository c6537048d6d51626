"""Measures the real server, and its peers beside it in the same run; prints tables in Markdown.

Each measurement has a new server, so nothing comes from the spool, and the peak memory belongs to that
download alone. A small filtered download goes first: imports are not counted. polars and DuckDB write to
/dev/null without HTTP, each in a process of its own; ROAPI and a static file are fetched as ours is. All take
turns in each round.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from beside import beside_others, first_and_later
from chart import chart
from counting import COUNTS
from load import beside_large, many
from make_data import FOLDER, LONG_ROWS, WIDE_ROWS, make
from servers import PEERS, PEERS_PYTHON, ROOT, Measured, Server, fetch, free_port, ours, server, started

PAGE, CHART = ROOT / "docs/performance.md", ROOT / "docs/performance.svg"
BEGIN, END = "<!-- bench: what `make bench` wrote -->\n", "<!-- bench: end -->\n"
EXCLUDED = {"long": "notes", "wide": "reference"}
ROWS = {"long": LONG_ROWS, "wide": WIDE_ROWS}
ALL = [(dataset, extension) for dataset in ROWS for extension in COUNTS]
QUICK = [("long", "csv"), ("long", "json"), ("wide", "csv")]
ENGINES, OTHER = ("polars", "duckdb"), "ROAPI"
ONE = "organisation-entity"
# Half of the rows of *long* have a lower one.
MIDDLE = 7_001_000_000
MEDIA_TYPES = {"csv": "application/csv", "json": "application/json"}

Runs = dict[str, list[Measured]]


def path_of(dataset: str, extension: str) -> str:
    excluded = f"?exclude_field={EXCLUDED[dataset]}" if extension == "parquet" else ""
    return f"/{dataset}.{extension}{excluded}"


def verified(folder: Path, dataset: str, extension: str) -> int:
    """The rows of a download; ends the run where they are not all."""
    with server(folder) as running, tempfile.TemporaryDirectory() as place:
        output = f"{place}/{dataset}.{extension}"
        fetch(running.port, path_of(dataset, extension), output)
        rows = COUNTS[extension](output)
    if rows != ROWS[dataset]:
        sys.exit(f"{dataset}.{extension} has {rows:,} rows instead of {ROWS[dataset]:,}")
    return rows


def sink(name: str, source: Path, extension: str, excluded: str = "", below: str = "") -> Measured:
    command = [PEERS_PYTHON, PEERS, "sink", name, source, extension, excluded, below]
    return Measured(**json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


@contextmanager
def roapi(sources: dict[str, Path]) -> Iterator[Server]:
    port = free_port()
    tables = [f"{name}={path},format=parquet,use_memory_table=false" for name, path in sources.items()]
    command = [str(PEERS_PYTHON.with_name("roapi")), "-a", f"127.0.0.1:{port}"]
    command += [part for table in tables for part in ("-t", table)]
    with started(command, port) as running:
        fetch(port, f"/api/tables/long?filter%5B{ONE}%5D=1&columns=entity&limit=1")
        yield running


def theirs(sources: dict[str, Path], path: str, extension: str) -> Measured | None:
    """The same of ROAPI, where it writes that format."""
    if extension not in MEDIA_TYPES:
        return None
    with roapi(sources) as running:
        return running.measure(f"/api/tables/{path}", accept=MEDIA_TYPES[extension])


def downloads(
    sources: dict[str, Path], folder: Path, chosen: list[tuple[str, str]], runs: int
) -> dict[str, Runs]:
    found: dict[str, Runs] = {}
    for number in range(runs):
        for dataset, extension in chosen:
            runs_of = found.setdefault(f"{dataset}.{extension}", {})
            runs_of.setdefault("ours", []).append(ours(folder, path_of(dataset, extension)))
            for name in ENGINES:
                runs_of.setdefault(name, []).append(
                    sink(name, sources[dataset], extension, EXCLUDED[dataset])
                )
            if other := theirs(sources, dataset, extension):
                runs_of.setdefault(OTHER, []).append(other)
        one = found.setdefault("one organisation of long, csv", {})
        one.setdefault("ours", []).append(ours(folder, f"/long.csv?{ONE}=7"))
        if other := theirs(sources, f"long?filter%5B{ONE}%5D=7", "csv"):
            one.setdefault(OTHER, []).append(other)
        half = found.setdefault("half of long, parquet", {})
        half.setdefault("ours", []).append(ours(folder, f"/long.parquet?entity__lt={MIDDLE}"))
        for name in ENGINES:
            half.setdefault(name, []).append(sink(name, sources["long"], "parquet", below=str(MIDDLE)))
        print(f"round {number + 1} of {runs} of the downloads is done", file=sys.stderr, flush=True)
    return found


def middle(runs: Sequence[Measured], name: str = "total") -> float:
    return statistics.median(getattr(run, name) for run in runs)


def told_downloads(found: dict[str, Runs], rows: dict[str, int]) -> list[str]:
    lines = [
        "| download | rows | first byte | total | CPU | peak | polars | DuckDB | ROAPI "
        "| × polars | × DuckDB | × ROAPI | CPU × polars |",
        f"| --- |{' ---: |' * 12}",
    ]
    for name, runs in found.items():
        own, peers = runs["ours"], (*ENGINES, OTHER)
        cells = [
            name,
            f"{rows[name]:,}" if name in rows else "",
            f"{middle(own, 'first_byte') * 1000:.0f} ms",
            f"{middle(own):.2f} s",
            f"{middle(own, 'cpu'):.2f} s",
            f"{middle(own, 'peak') / 1e6:.0f} MB",
            *(f"{middle(runs[peer]):.2f} s" if peer in runs else "" for peer in peers),
            *(f"{middle(own) / middle(runs[peer]):.2f}" if peer in runs else "" for peer in peers),
            f"{middle(own, 'cpu') / middle(runs['polars'], 'cpu'):.2f}" if "polars" in runs else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    peaks = []
    for peer in (*ENGINES, OTHER):
        of_peer = [middle(runs[peer], "peak") / 1e6 for runs in found.values() if peer in runs]
        peaks.append(f"{peer} {min(of_peer):.0f} to {max(of_peer):.0f} MB")
    return [*lines, "", f"Peak memory of the peers, lowest to highest download: {', '.join(peaks)}."]


def machine(runs: int) -> str:
    peers = json.loads(
        subprocess.run([PEERS_PYTHON, PEERS, "versions"], check=True, capture_output=True).stdout
    )
    own = {name: version(name) for name in ("duckdb", "pyarrow", "polars", "uvicorn", "uvloop")}
    named = [f"{name} {number}" for name, number in own.items()]
    beside = [f"{name} {number}" for name, number in peers.items()]
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}; ours by {', '.join(named)}; the peers "
        f"are {', '.join(beside)}. Load average at the end {os.getloadavg()[0]:.1f}; medians of {runs} runs."
    )


def drawn(found: dict[str, Runs]) -> str:
    names = (*ENGINES, OTHER)
    bars = {
        name: [middle(runs["ours"]) / middle(runs[peer]) if peer in runs else None for peer in names]
        for name, runs in found.items()
    }
    return chart("Seconds over HTTP, in times of what a peer takes", bars, [f"× {name}" for name in names])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the datasets are, made if absent")
    parser.add_argument("--runs", type=int, default=3, help="rounds; the medians are shown")
    parser.add_argument("--quick", action="store_true", help="one round, of what changes most")
    parser.add_argument("--write", action="store_true", help="also write tables and chart into docs/")
    parser.add_argument("--raw", type=Path, help="also write every measurement to this JSON file")
    options = parser.parse_args()
    runs, chosen = (1, QUICK) if options.quick else (options.runs, ALL)
    counts, seconds = ((1, 16), 4.0) if options.quick else ((1, 4, 16, 64), 10.0)
    sources = {name: path.resolve() for name, path in make(options.folder).items()}
    checked = [] if options.quick else chosen
    rows = {
        f"{dataset}.{extension}": verified(options.folder, dataset, extension)
        for dataset, extension in checked
    }
    found = downloads(sources, options.folder, chosen, runs)
    lines = [
        *told_downloads(found, rows),
        "",
        *beside_others(options.folder, runs),
        "",
        *first_and_later(options.folder, runs),
        "",
        *many(options.folder, counts, seconds),
        "",
        *beside_large(options.folder, 2 * seconds),
        "",
        machine(runs),
    ]
    print("\n".join(lines))
    if options.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + rest.partition(END)[2])
        CHART.write_text(drawn(found))
    if options.raw:
        kept = {
            name: {who: [asdict(run) for run in each] for who, each in of.items()}
            for name, of in found.items()
        }
        options.raw.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
