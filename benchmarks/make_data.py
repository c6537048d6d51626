"""The two datasets of the benchmark, with the same rows every time.

*long* has 2,000,000 rows of 15 mixed columns; *wide* has 11,766 rows with about 17 KB of WKT each.
All values come from integer arithmetic on the row's number, so no version of a random generator matters.
"""

import argparse
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

LONG_ROWS = 2_000_000
WIDE_ROWS = 11_766
CORNERS = 860
FOLDER = Path(".demo/benchmark")

ROW = pl.col("row")


def make(folder: Path) -> dict[str, Path]:
    """Write what is not there yet; returns the files by dataset."""
    made = {}
    for name, table in {"long": long, "wide": wide}.items():
        path = folder / f"{name}.parquet"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            pq.write_table(table().to_arrow(), part, compression="zstd", row_group_size=100_000)
            part.replace(path)
        made[name] = path
    return made


def long() -> pl.DataFrame:
    pick, day = _pick, pl.date(1980, 1, 1)
    return _rows(LONG_ROWS).select(
        (ROW + 7_000_000_000).alias("entity"),
        pl.format("{} {}", _one_of(1, "Ash", "Church", "Mill", "St Mary's", "Château"), pick(2, 400)).alias(
            "name"
        ),
        pl.lit("tree").alias("prefix"),
        pl.format("T/{}", ROW).alias("reference"),
        pl.lit("tree").alias("dataset"),
        pl.lit("geography").alias("typology"),
        (ROW // 5_000 % 400).alias("organisation-entity"),
        _one_of(3, "some", "authoritative", "none").alias("quality"),
        (day + pl.duration(days=pick(4, 900) + 15_000)).alias("entry-date"),
        pl.when(pick(5, 10) > 2).then(day + pl.duration(days=pick(6, 15_000) // 30 * 30)).alias("start-date"),
        pl.when(pick(7, 50) == 0).then(day + pl.duration(days=16_000)).alias("end-date"),
        pl.format(
            "POINT ({} {})",
            _degrees(pick(8, 8_000) * 9 - 1_900_000),
            _degrees(ROW // 5_000 % 400 * 1_000 + pick(13, 30) + 51_500_000),
        ).alias("point"),
        _one_of(9, None, "", 'Known as "The Green", see plan', "Coed Tŷ Gwyn, 12 m", "=1+1").alias("notes"),
        (pick(10, 4_000) / 8).alias("Hectares"),
        (pick(11, 3) == 0).alias("confirmed"),
    )


def wide() -> pl.DataFrame:
    corner = pl.col("corner")
    angle = corner * (6.283185307179586 / CORNERS)
    reach = 2_000 + _scatter(ROW * CORNERS + corner, 12) % 500
    x = (ROW % 1_000 * 5_000 - 4_000_000 + reach * 1.6 * angle.cos()).round().cast(pl.Int64)
    y = (ROW // 1_000 * 300_000 + 50_000_000 + reach * angle.sin()).round().cast(pl.Int64)
    rings = (
        _rows(WIDE_ROWS)
        .join(pl.DataFrame({"corner": range(CORNERS)}), how="cross", maintain_order="left_right")
        .select(ROW, pl.format("{} {}", _degrees(x), _degrees(y)).alias("corner"))
        .group_by("row", maintain_order=True)
        .agg(pl.col("corner").str.join(","), pl.col("corner").first().alias("first"))
    )
    return rings.select(
        (ROW + 44_000_000).alias("entity"),
        pl.format("Area {}", ROW).alias("name"),
        pl.format("A/{}", ROW).alias("reference"),
        (ROW // 30 % 400).cast(pl.String).alias("organisation-entity"),
        pl.format("MULTIPOLYGON ((({},{})))", "corner", "first").alias("geometry"),
    )


def _rows(count: int) -> pl.DataFrame:
    return pl.DataFrame({"row": pl.int_range(count, eager=True)})


def _scatter(number: pl.Expr, seed: int) -> pl.Expr:
    """Numbers below 2**15 that look random; no step of it overflows 64 bits."""
    mixed = (number * 2_654_435_761 + seed * 40_503) % 4_294_967_296
    return (mixed // 65_536 * 25_173 + mixed % 65_536 * 13_849) % 4_294_967_296 // 131_072


def _pick(seed: int, size: int) -> pl.Expr:
    return _scatter(ROW, seed) % size


def _one_of(seed: int, *choices: str | None) -> pl.Expr:
    chosen = _pick(seed, len(choices))
    return chosen.replace_strict(range(len(choices)), choices, return_dtype=pl.String)


def _degrees(millionths: pl.Expr) -> pl.Expr:
    sign = pl.when(millionths < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    size = millionths.abs()
    return pl.format("{}{}.{}", sign, size // 1_000_000, (size % 1_000_000).cast(pl.String).str.zfill(6))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    for name, path in make(parser.parse_args().folder).items():
        print(f"{name}: {pq.read_metadata(path).num_rows:,} rows, {path.stat().st_size / 1e6:.1f} MB, {path}")
