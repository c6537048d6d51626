"""Measures the catalogue over storage that takes its time with each request.

300 datasets, 30 of them folders of two parts, lie on a real S3 server behind a proxy that holds every request
back for 30 ms and counts them, beside a folder of 10,000 other objects that is no dataset. The first list is
that of a service that knows nothing; then it is asked for from memory, and while it is made anew.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from parts import KEY, SECRET, Slow, slow

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.s3_server import s3_server
from tests.support.serving import Served, serving

COLUMNS, ROWS = 14, 200
MAX_AGE = 2.0


def make(folder: Path, datasets: int, others: int) -> None:
    """Write the datasets, words for all of them, and what is no dataset."""
    folder.mkdir(parents=True)
    table = pa.table(
        {f"column-{place}": [str(row * place) for row in range(ROWS)] for place in range(COLUMNS)}
    )
    for number in range(datasets):
        paths = (
            [f"d{number}/1.parquet", f"d{number}/2.parquet"] if number % 10 == 0 else [f"d{number}.parquet"]
        )
        for path in paths:
            (folder / path).parent.mkdir(exist_ok=True)
            pq.write_table(table, folder / path)
    words = {f"d{number}": {"title": f"Dataset {number}"} for number in range(datasets)}
    (folder / "datasets.json").write_text(json.dumps(words))
    (folder / "archive/old").mkdir(parents=True)
    for number in range(others):
        (folder / f"archive/old/{number}.txt").touch()


def asked(server: Served) -> float:
    """Seconds for one list."""
    began = time.perf_counter()
    server.get("/datasets").raise_for_status()
    return time.perf_counter() - began


def measure(server: Served, proxy: Slow) -> None:
    """Ask, and print what it took."""
    server.get("/ready")
    proxy.requests.clear()
    first = asked(server)
    known = [item for item in server.get("/datasets").json()["datasets"] if "rows" in item]
    print(f"first: {first:.2f} s, {len(known)} datasets known by then, {dict(proxy.requests)}")
    lists = [asked(server) for _ in range(50)]
    print(f"from memory: median {statistics.median(lists):.4f} s, most {max(lists):.4f} s")
    time.sleep(MAX_AGE + 3)
    proxy.requests.clear()
    during = [asked(server) for _ in range(50)]
    time.sleep(1)
    print(f"made anew meanwhile: median {statistics.median(during):.4f} s, most {max(during):.4f} s")
    print(f"for that: {dict(proxy.requests)}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=300)
    parser.add_argument("--others", type=int, default=10_000)
    options = parser.parse_args()
    os.environ.update({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET})
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "bucket/dataset", options.datasets, options.others)
        with (
            s3_server(folder, KEY, SECRET, dir_cache="1h") as url,
            slow(url, 0.03) as proxy,
            serving(
                dataset_bucket="bucket",
                aws_endpoint_url=f"http://127.0.0.1:{proxy.port}",
                catalogue_max_age=MAX_AGE,
            ) as server,
        ):
            measure(server, proxy)


if __name__ == "__main__":
    main()
