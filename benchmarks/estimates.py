"""Compare estimates with the truth: random queries over the demo's datasets, in every format.

    python -m benchmarks.estimates [--queries 200] [--seed 1] [--folder .demo]

Prints how many rows were told, and whether they were right; and, for each format, how many of the estimated
bytes were within 25 % of those of the download.
"""

import argparse
import random
import statistics
import sys
import time
from collections import defaultdict
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
from fastapi.testclient import TestClient

from application.demo import make_demo
from application.formats import FORMATS
from application.main import create_app
from application.settings import Settings

NEAR = 0.25
MOST_ROWS = 80_000
ASKED = str | int | bool | date | None
NOT_ASKED = ("geometry", "processed-timestamp")
Pairs = list[tuple[str, str]]


def random_query(dice: random.Random, columns: dict[str, list[Any]]) -> Pairs:
    """Up to two filters by values that there are, some columns, now and then an end or an order."""
    pairs: Pairs = []
    for name in dice.sample(list(columns), dice.choice((0, 1, 1, 1, 2))):
        values = [value for value in columns[name] if value not in (None, "")]
        if not values:
            pairs.append((f"{name}__isnull", ""))
            continue
        value = dice.choice(values)
        if isinstance(value, bool):
            pairs.append((name, str(value).lower()))
            continue
        text = str(value)
        operators = ["", "__gte", "__lt", "__not"]
        if isinstance(value, str):
            operators = ["", "__not", "__notnull", "__contains"]
            text = text if dice.random() < 0.5 else text[: dice.randint(1, len(text))]
            operators += ["__startswith"]
        pairs.append((name + dice.choice(operators), text))
    if dice.random() < 0.4:
        pairs += [("field", name) for name in dice.sample(list(columns), dice.randint(1, len(columns)))]
    if dice.random() < 0.1:
        pairs.append(("limit", str(dice.choice((1, 100, 10_000)))))
    if dice.random() < 0.1:
        pairs.append(("sort", dice.choice(("-", "")) + dice.choice(list(columns))))
    return pairs


def download(client: TestClient, path: str, query: Pairs) -> bytes:
    """The bytes of a download, asked for again while it is being made."""
    for _ in range(300):
        response = client.get(path, params=query)
        if response.status_code != 503:
            break
        time.sleep(1)
    return response.raise_for_status().content


def samples_of(path: Path, dice: random.Random) -> dict[str, list[Any]]:
    """Some values of each column that filters can be made of."""
    table = pq.read_table(path)
    rows = sorted(dice.sample(range(table.num_rows), min(200, table.num_rows)))
    some = table.take(rows)
    return {
        name: values
        for name, values in some.to_pydict().items()
        if all(
            isinstance(value, str | int | bool | type(None)) or hasattr(value, "isoformat")
            for value in values
        )
        and name not in ("geometry", "processed-timestamp")
    }


def compare(
    client: TestClient,
    datasets: dict[str, dict[str, list[Any]]],
    count: int,
    seed: int,
    formats: list[str] | None,
) -> dict[str, Any]:
    """The outcome of so many random queries."""
    dice = random.Random(seed)
    ratios: dict[str, list[float]] = defaultdict(list)
    far: list[tuple[float, str, str, Pairs]] = []
    found: dict[str, Any] = {"queries": 0, "rows told": 0, "rows wrong": 0, "above at most": 0, "unknown": 0}
    times = []
    while found["queries"] < count:
        name = dice.choice(list(datasets))
        query = random_query(dice, datasets[name])
        extensions = formats or [row.extension for row in FORMATS.values() if not row.geometry]
        start = time.perf_counter()
        answers = [
            client.get(f"/datasets/{name}/estimate", params=[*query, *([("format", each)] if each else [])])
            for each in formats or [""]
        ]
        if any(answer.status_code in (422, 503) for answer in answers):
            continue  # a value that is none of its type by chance, or others take the time
        times.append((time.perf_counter() - start) / len(answers))
        told = {**answers[0].raise_for_status().json(), "formats": []}
        for answer in answers:
            told["formats"] += answer.json()["formats"]
        found["queries"] += 1
        rows = download(client, f"/{name}.ndjson", query).count(b"\n")
        found["rows told"] += "rows" in told
        found["rows wrong"] += told.get("rows", rows) != rows
        found["above at most"] += rows > told.get("rows_at_most", rows)
        by_format = {item["extension"]: item for item in told["formats"]}
        for extension in extensions:
            item = by_format[extension]
            if item["answer"] == "refused":
                continue
            if "bytes" not in item:
                found["unknown"] += 1
                continue
            if rows > MOST_ROWS and FORMATS[extension].random_access:
                continue  # a workbook of them takes minutes
            size = len(download(client, f"/{name}.{extension}", query))
            ratio = item["bytes"] / max(size, 1) if size else float(item["bytes"] == 0) or 2.0
            ratios[extension].append(ratio)
            if abs(ratio - 1) > NEAR:
                far.append((ratio, extension, name, query))
    near = {
        extension: sum(abs(ratio - 1) <= NEAR for ratio in found_) / len(found_)
        for extension, found_ in ratios.items()
    }
    worst = sorted(far, key=lambda item: -abs(item[0] - 1))[:5]
    seconds = statistics.median(times), max(times)
    return {**found, "near": near, "worst": worst, "median and most seconds": seconds}


def main() -> int:
    """Run it; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formats", nargs="*", help="all but those of geometry, by default")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        dice = random.Random(options.seed)
        datasets = {item.name: samples_of(item.path, dice) for item in make_demo(folder)}
        settings = Settings(dataset_bucket=folder.resolve().as_uri(), log_level="ERROR")
        with TestClient(create_app(settings)) as client:
            client.headers["accept-encoding"] = "identity"
            found = compare(client, datasets, options.queries, options.seed, options.formats)
    for name, value in found.items():
        print(f"{name}: {value}")
    is_kept = not found["rows wrong"] and min(found["near"].values()) >= 0.95
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
