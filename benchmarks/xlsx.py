"""Workbooks of 400,000 rows of ten columns: this writer beside others, each in a process of its own.

    .venv/bin/python -m pip install --target /tmp/writers XlsxWriter rustpy-xlsxwriter
    PYTHONPATH=/tmp/writers .venv/bin/python benchmarks/xlsx.py

Prints the table of docs/performance.md.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent.parent))
WORDS = ("Mill", "Lane", "Church", "Street", "Château", "A & B", "Close", "Green")
BATCH_ROWS = 16_384
AHEAD = 16 << 20  # bytes that wait, or are in the making


def sample(rows: int) -> pa.Table:
    dice = random.Random(1)
    numbers = range(rows)
    return pa.table(
        {
            "entity": numbers,
            "name": [f"{dice.choice(WORDS)} {dice.choice(WORDS)} {dice.randrange(1000)}" for _ in numbers],
            "reference": [f"T/{number:06}" for number in numbers],
            "height": [dice.random() * 30 for _ in numbers],
            "entry-date": pa.array([number % 20_000 for number in numbers], pa.int32()).cast(pa.date32()),
            "quality": [dice.choice(WORDS[:3]) for _ in numbers],
            "end-date": ["2024-01-01" if number % 3 == 0 else None for number in numbers],
            "confirmed": [number % 2 == 0 for number in numbers],
            "start-date": [f"2024-{number % 12 + 1:02}" for number in numbers],
            "organisation-entity": [number % 400 for number in numbers],
        }
    )


def ours(extension: str) -> Callable[[Path, Path], None]:
    """As downloads are made: by as many threads as there are cores, in order."""

    def write(source: Path, target: Path) -> None:
        from application.formats import FORMATS, GroupEncoder
        from application.production.pipeline import stage

        file = pq.ParquetFile(source)
        encoder, batches = FORMATS[extension].open_encoder(), file.iter_batches(BATCH_ROWS)
        with target.open("wb") as out, ExitStack() as stages:
            out.write(encoder.start(file.schema_arrow))
            threads = {"stop": lambda: None, "workers": os.cpu_count() or 1, "room": AHEAD}
            if isinstance(encoder, GroupEncoder):
                groups = encoder.groups(batches)
                made = map(encoder.join, stages.enter_context(stage(groups, encoder.encode_group, **threads)))
            else:
                made = stages.enter_context(stage(batches, encoder.encode, **threads))
            for chunk in made:
                out.write(chunk)
            out.write(encoder.finish())

    return write


def with_xlsxwriter(source: Path, target: Path) -> None:
    import xlsxwriter

    file = pq.ParquetFile(source)
    book = xlsxwriter.Workbook(str(target), {"constant_memory": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet("Data")
    sheet.write_row(0, 0, file.schema_arrow.names)
    done = 1
    for batch in file.iter_batches(BATCH_ROWS):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            sheet.write_row(done, 0, row)
            done += 1
    book.close()


def with_rustpy(source: Path, target: Path) -> None:
    import rustpy_xlsxwriter

    rustpy_xlsxwriter.write_worksheet(pq.read_table(source).to_pylist(), str(target), sheet_name="Data")


def with_polars(source: Path, target: Path) -> None:
    import polars as pl

    pl.read_parquet(source).write_excel(target, worksheet="Data", autofit=False)


WRITERS: dict[str, Callable[[Path, Path], None]] = {
    "this service, csv": ours("csv"),
    "this service, xlsx": ours("xlsx"),
    "rustpy-xlsxwriter": with_rustpy,
    "XlsxWriter, constant memory": with_xlsxwriter,
    "polars `write_excel`": with_polars,
}


def measure(name: str, source: Path, target: Path) -> None:
    """Write once, and print a row of the table."""
    start, cpu = time.perf_counter(), time.process_time()
    WRITERS[name](source, target)
    seconds, worked = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
    size = target.stat().st_size / 1e6
    print(f"| {name} | {seconds:.2f} s | {worked:.2f} s | {peak} MB | {size:.1f} MB |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--one", nargs=3, metavar=("WRITER", "SOURCE", "TARGET"), help="measure one, here")
    options = parser.parse_args()
    if options.one:
        name, source, target = options.one
        measure(name, Path(source), Path(target))
        return
    print("| writer | time | CPU | peak memory | file |\n| --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.parquet"
        pq.write_table(sample(options.rows), source)
        for name in WRITERS:
            subprocess.run(
                [sys.executable, __file__, "--one", name, str(source), str(Path(folder) / "out")], check=True
            )


if __name__ == "__main__":
    main()
