"""Dates in JSON: as ISO 8601 has them, whoever writes them."""

import json
from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.formats import FORMATS

EPOCH = date(1970, 1, 1)
DAYS = st.none() | st.dates() | st.sampled_from([date.min, date.max, EPOCH, EPOCH - timedelta(1)])


def written(extension: str, batch: pa.RecordBatch) -> list[dict[str, object]]:
    encoder = FORMATS[extension].open_encoder()
    text = b"".join(
        bytes(chunk) for chunk in (encoder.start(batch.schema), encoder.encode(batch), encoder.finish())
    )
    if extension == "ndjson":
        return [json.loads(line) for line in text.splitlines()]
    found: list[dict[str, object]] = json.loads(text)
    return found


@pytest.mark.parametrize("extension", ["json", "ndjson"])
@given(days=st.lists(DAYS, min_size=1))
def test_dates_of_the_years_1_to_9999(extension: str, days: list[date | None]) -> None:
    column = pa.array(days, pa.date32())
    # A decimal beside them is spliced in, so the row is written in parts.
    for beside in (pa.array(range(len(days))), pa.array(range(len(days))).cast(pa.decimal128(20, 0))):
        batch = pa.record_batch({"day": column, "beside": beside})
        said = [day and day.isoformat() for day in days]
        assert written(extension, batch) == [{"day": day, "beside": at} for at, day in enumerate(said)]


@pytest.mark.parametrize(
    ("days", "text"), [(2_932_897, "10000-01-01"), (-719_163, "0000-12-31"), (-719_529, "-0001-12-31")]
)
def test_dates_before_and_after(days: int, text: str) -> None:
    column = pa.array([days, 0], pa.int32()).view(pa.date32())
    assert written("json", pa.record_batch({"day": column})) == [{"day": text}, {"day": "1970-01-01"}]
