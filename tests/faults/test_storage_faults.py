"""Storage that answers wrongly, once and for good, wherever it is asked."""

from itertools import count, product

import pytest

from tests.faults.conftest import Bucket
from tests.faults.data import KINDS, Kind, Library
from tests.faults.law import Case, Court, taking_turns
from tests.faults.storage import ALWAYS, SLOW, STORAGE_FAULTS, WHERE, StorageFault

pytestmark = pytest.mark.faults

names = count()
# What the service's own next try mends is tried with some formats, in turn.
SOME = 3


def cases() -> list[object]:
    """Each fault at each place, once and for good; where rows are read, for every format and coding."""
    found, turns = [], count()
    for fault, where, times in product(STORAGE_FAULTS, WHERE, (1, ALWAYS)):
        if not fault.applies(where):
            continue
        everything = where == "data" and fault.name not in SLOW
        for _ in range(1 if not everything else SOME if times == 1 else len(KINDS)):
            turn = next(turns)
            words = f"{where}: {fault.name}, {'once' if times == 1 else 'for good'}"
            case = taking_turns(turn, words, KINDS[turn % len(KINDS)])
            found.append(pytest.param(case, (fault, where, times), id=str(case)))
    return found


@pytest.mark.parametrize(("case", "fault"), cases())
def test_storage_that_answers_wrongly(
    bucket: Bucket, library: Library, bucket_court: Court, case: Case, fault: tuple[StorageFault, str, int]
) -> None:
    where = fault[1]
    # New each time: nothing that was read of another is known of it.
    dataset = f"case-{next(names)}"
    parts = dataset if where == "listing" else ""
    file = bucket.folder / parts / f"{'part' if parts else dataset}.parquet"
    library.put(1, file)
    if where == "data":
        # Its footer is known: what fails is the reading of rows.
        assert bucket.served.client.head(case.kind.path(dataset), headers={"Connection": "close"}).is_success
    try:
        bucket_court.judge(case, dataset, bucket.proxy.mend, cause=lambda: bucket.proxy.break_(*fault))
        assert bucket.proxy.hits, "nobody met the fault"
    finally:
        bucket.proxy.mend()
        file.unlink()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_object_replaced_while_it_is_read(
    bucket: Bucket, library: Library, bucket_court: Court, kind: Kind
) -> None:
    dataset = f"case-{next(names)}"
    file = bucket.folder / f"{dataset}.parquet"
    library.put(1, file)
    assert bucket.served.client.head(kind.path(dataset), headers={"Connection": "close"}).is_success
    bucket_court.judge(
        taking_turns(KINDS.index(kind), "data: replaced", kind),
        dataset,
        bucket.proxy.mend,
        cause=lambda: bucket.proxy.before_data(lambda: library.put(2, file)),
        versions=(1, 2),
    )
    file.unlink()
