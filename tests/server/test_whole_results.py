"""Results that nobody has fetched yet, asked for by HEAD or in parts: made whole once, or refused in time."""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

import httpx2
import pyarrow.parquet as pq
import pytest

from application.downloads import terms
from tests.support import tables
from tests.support.gate import Gate
from tests.support.serving import Served, eventually, productions, serving_folder

pytestmark = pytest.mark.slow

ROWS = 10 * tables.GROUP_ROWS
NUMBERS = count()
FIRST_BYTE = {"range": "bytes=0-0"}
# Longer than any test waits.
LONG = 60.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets")
    rows = tables.large(10).append_column("spare", [[0] * ROWS])
    tables.write(rows, folder / "large.parquet")
    tables.write(rows, folder / "bad.parquet")
    tables.spoil(folder / "bad.parquet", 6)
    return folder


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    with serving_folder(root) as found:
        yield found


@pytest.fixture
def impatient(root: Path, gate: Gate) -> Iterator[Served]:
    """A server whose answers wait for a moment only, over productions that wait for the test."""
    gate.shut()
    with serving_folder(root, whole_seconds=0.05) as found:
        yield found


def fresh(extension: str, name: str = "large") -> str:
    """A query over some 20 MB of text that nobody has asked before: all rows match it."""
    return f"/{name}.{extension}?spare=0&spare={next(NUMBERS) + 1}"


def code(response: httpx2.Response) -> tuple[int, str]:
    assert int(response.headers["retry-after"]) > 0
    return response.status_code, response.json()["code"]


def refusal(response: httpx2.Response) -> int:
    """The status of a refused HEAD, whose code nobody can read."""
    assert int(response.headers["retry-after"]) > 0
    return response.status_code


def test_head_of_a_query_makes_what_is_read_by_seeking(served: Served, gate: Gate) -> None:
    path = fresh("parquet")
    head = served.client.head(path)
    assert (head.status_code, head.headers["accept-ranges"]) == (200, "bytes")
    tail = served.get(path, headers={"range": "bytes=-8"})
    whole = served.get(path)
    assert tail.headers["content-range"].endswith(f"/{head.headers['content-length']}")
    assert (tail.status_code, tail.content) == (206, whole.content[-8:])
    assert {answer.headers["etag"] for answer in (head, tail, whole)} == {head.headers["etag"]}
    assert head.headers["repr-digest"] == whole.headers["repr-digest"]
    assert pq.read_table(io.BytesIO(whole.content)).num_rows == ROWS
    assert len(gate.came) == 1


def test_head_of_what_is_read_from_its_start_makes_nothing_and_tells_the_length_once_it_is_there(
    served: Served, gate: Gate
) -> None:
    path = fresh("csv")
    assert "content-length" not in served.client.head(path).headers
    assert not gate.came
    assert served.client.head(path, headers=FIRST_BYTE).status_code == 200
    assert not gate.came
    size = len(served.get(path).content)
    assert served.client.head(path).headers["content-length"] == str(size)


def test_parquet_is_whole_before_its_headers_the_first_time(served: Served) -> None:
    response = served.get(fresh("parquet"))
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["accept-ranges"] == "bytes"
    assert len(response.content) > 4 << 20


@pytest.mark.parametrize("extension", ["csv", "json", "ndjson", "parquet"])
@pytest.mark.parametrize("wanted", ["bytes=0-0", "bytes=1000-", "bytes=-100", "bytes=0-1048576"])
def test_a_range_of_what_is_not_made_yet_is_a_206_with_the_size(
    wanted: str, extension: str, served: Served, gate: Gate
) -> None:
    path = fresh(extension)
    part = served.get(path, headers={"range": wanted})
    whole = served.get(path).content
    place, _, size = part.headers["content-range"].removeprefix("bytes ").partition("/")
    start, end = (int(number) for number in place.split("-"))
    assert (part.status_code, part.content) == (206, whole[start : end + 1])
    assert int(size) == len(whole)
    assert len(gate.came) == 1


def test_a_range_beyond_what_is_not_made_yet_is_refused_with_the_size(served: Served) -> None:
    path = fresh("csv")
    beyond = served.get(path, headers={"range": "bytes=999999999-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(served.get(path).content)}"


def test_a_glance_at_what_is_not_made_streams_and_stops_it_with_its_leaving(
    served: Served, gate: Gate
) -> None:
    path = fresh("csv")
    for last in (32768, 524288):
        with served.client.stream("GET", path, headers={"range": f"bytes=0-{last}"}) as response:
            assert response.status_code == 200
            assert "content-length" not in response.headers
        assert eventually(lambda: productions() == 0)
    assert "content-length" not in served.client.head(path).headers, "what was left is not kept"
    assert len(gate.came) == 2


def test_a_glance_at_what_is_being_made_waits_for_it(served: Served, gate: Gate) -> None:
    path = fresh("csv")
    gate.shut()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(served.get, path, headers=FIRST_BYTE)
        assert eventually(lambda: gate.came)
        glance = pool.submit(served.get, path, headers={"range": "bytes=0-32768"})
        gate.open()
        assert [first.result().status_code, glance.result().status_code] == [206, 206]
        assert len(glance.result().content) == 32769


def test_a_range_of_another_version_is_the_whole_as_it_comes(served: Served) -> None:
    response = served.get(fresh("csv"), headers={"range": "bytes=0-0", "if-range": '"other"'})
    assert response.status_code == 200
    assert "transfer-encoding" in response.headers


def test_parts_are_coded_only_for_who_has_coded_bytes(served: Served) -> None:
    path = fresh("csv")
    accepts = {"accept-encoding": "gzip, deflate"}
    plain = served.get(path)
    part = served.get(path, headers={"range": "bytes=1000-1999", **accepts})
    assert part.content == plain.content[1000:2000]
    assert "content-encoding" not in part.headers
    assert part.headers["etag"] == plain.headers["etag"]
    with served.client.stream("GET", path, headers=accepts) as response:
        coded = b"".join(response.iter_raw())
    named = {"range": "bytes=1000-1999", "if-range": response.headers["etag"], **accepts}
    with served.client.stream("GET", path, headers=named) as response:
        assert (response.status_code, response.headers["content-encoding"]) == (206, "gzip")
        assert b"".join(response.iter_raw()) == coded[1000:2000]


def test_what_fails_is_refused_to_head_and_to_ranges(served: Served) -> None:
    assert served.client.head(fresh("parquet", "bad")).status_code == 500
    assert served.get(fresh("csv", "bad"), headers=FIRST_BYTE).status_code == 500


def test_what_takes_long_is_promised_and_goes_on_until_it_is_there(impatient: Served, gate: Gate) -> None:
    path = fresh("parquet")
    assert refusal(impatient.client.head(path)) == 503
    assert code(impatient.get(path, headers={"range": "bytes=-8"})) == (503, "making")
    assert productions() == 1
    gate.open()
    assert eventually(lambda: productions() == 0)
    assert impatient.client.head(path).status_code == 200
    assert impatient.get(path, headers={"range": "bytes=-4"}).content == b"PAR1"
    assert len(gate.came) == 1


def test_what_nobody_comes_back_for_is_stopped(
    impatient: Served, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "HOLD_SECONDS", 0.05)
    assert refusal(impatient.client.head(fresh("parquet"))) == 503
    assert eventually(lambda: productions() == 0)


def test_a_client_that_leaves_finds_it_made_when_it_comes_back(root: Path, gate: Gate) -> None:
    path = fresh("csv")
    gate.shut()
    with serving_folder(root) as served:
        with pytest.raises(httpx2.ReadTimeout):
            served.get(path, headers=FIRST_BYTE, timeout=0.2)
        gate.open()
        assert eventually(lambda: served.lifespan.get().productions.kept_keys)
        assert served.get(path, headers=FIRST_BYTE).status_code == 206
    assert len(gate.came) == 1


def test_parquet_that_takes_long_streams_to_who_reads_it_from_its_start(root: Path) -> None:
    with serving_folder(root, whole_seconds=0) as served:
        path = fresh("parquet")
        response = served.get(path)
        assert "transfer-encoding" in response.headers
        assert pq.read_table(io.BytesIO(response.content)).num_rows == ROWS
        assert served.client.head(path).headers["content-length"] == str(len(response.content))


def test_what_has_no_place_is_told_as_a_plain_get_is_and_has_no_ranges(root: Path) -> None:
    with serving_folder(root, spool_max_result=1 << 20) as served:
        path = fresh("parquet")
        head, got = served.client.head(path), served.get(path)
        assert (head.status_code, got.status_code) == (200, 200)
        assert not {"content-length", "accept-ranges"} & set(head.headers)
        assert "transfer-encoding" in got.headers
        path = fresh("csv")
        refused = served.get(path, headers=FIRST_BYTE)
        assert (refused.status_code, refused.json()["code"]) == (413, "result-too-large")
        assert "Range" in refused.json()["detail"]
        # Until it has ended it is this client's one, and another would be told to come later.
        assert eventually(lambda: productions() == 0)
        tag = served.client.head(path).headers["etag"]
        resumed = served.get(path, headers={"range": "bytes=1000-", "if-range": tag})
        assert (resumed.status_code, resumed.content) == (200, served.get(path).content)
        assert eventually(lambda: productions() == 0)


def test_without_a_spool_nothing_is_made_first(root: Path, gate: Gate) -> None:
    with serving_folder(root, spool_dir="off") as served:
        path = fresh("parquet")
        head = served.client.head(path)
        assert head.status_code == 200
        assert not {"content-length", "accept-ranges"} & set(head.headers)
        assert not gate.came
        for headers in ({}, FIRST_BYTE):
            response = served.get(path, headers=headers)
            assert (response.status_code, response.headers["transfer-encoding"]) == (200, "chunked")
            assert pq.read_table(io.BytesIO(response.content)).num_rows == ROWS


Ask = Callable[[Served, str], httpx2.Response]
ASKS: dict[str, Ask] = {
    "head": lambda served, path: served.client.head(path),
    "range": lambda served, path: served.get(path, headers={"range": "bytes=5-9"}),
}


@pytest.mark.parametrize("kind", ASKS)
def test_a_storm_for_one_query_makes_it_once(kind: str, root: Path, gate: Gate) -> None:
    path = fresh("parquet")
    gate.shut()
    with serving_folder(root) as served, ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(ASKS[kind], served, path) for _ in range(40)]
        assert eventually(lambda: gate.came)
        gate.open()
        assert {answer.result().status_code for answer in asked} == {200 if kind == "head" else 206}
    assert len(gate.came) == 1


def test_a_storm_of_heads_for_many_queries_takes_free_places_only_and_keeps_no_get_waiting(
    root: Path, gate: Gate
) -> None:
    gate.shut()
    with (
        serving_folder(root, production_limit=2, whole_seconds=LONG) as served,
        ThreadPoolExecutor(16) as pool,
    ):
        heads = [pool.submit(served.client.head, fresh("parquet")) for _ in range(12)]
        assert eventually(lambda: sum(head.done() for head in heads) == 10)
        assert {refusal(head.result()) for head in heads if head.done()} == {503}
        got = pool.submit(served.get, fresh("csv"))
        assert eventually(lambda: productions() == 3)
        assert refusal(served.client.head(fresh("parquet"))) == 503
        gate.open()
        assert got.result().status_code == 200
        assert sorted(head.result().status_code for head in heads) == [200] * 2 + [503] * 10
    assert len(gate.came) == 3


def test_a_client_has_one_result_made_by_ranges_and_all_together_two(root: Path, gate: Gate) -> None:
    gate.shut()
    with serving_folder(root, trusted_proxies="127.0.0.1") as served, ThreadPoolExecutor(16) as pool:

        def ask(number: int, client: int) -> httpx2.Response:
            path, address = f"/large.csv?spare=0&spare=-{number}", f"192.0.2.{client}"
            return served.get(path, headers={**FIRST_BYTE, "x-forwarded-for": address})

        first = pool.submit(ask, 1, 1)
        assert eventually(lambda: len(gate.came) == 1)
        assert code(ask(2, 1)) == (503, "busy")
        second = pool.submit(ask, 2, 2)
        assert eventually(lambda: len(gate.came) == 2)
        assert {code(ask(number, number)) for number in range(3, 9)} == {(503, "busy")}
        joined = pool.submit(ask, 1, 9)
        gate.open()
        assert [asked.result().status_code for asked in (first, second, joined)] == [206] * 3
        assert ask(3, 3).status_code == 206


def test_a_head_that_makes_is_one_of_a_clients_downloads_and_others_are_not(root: Path, gate: Gate) -> None:
    with serving_folder(root, client_downloads=1) as served:
        there = fresh("parquet")
        assert served.client.head(there).status_code == 200
        gate.shut()
        with ThreadPoolExecutor(1) as pool:
            making = pool.submit(served.client.head, fresh("parquet"))
            assert eventually(lambda: len(gate.came) == 2)
            assert code(served.get(fresh("csv"))) == (429, "too-many-downloads")
            assert refusal(served.client.head(fresh("parquet"))) == 429
            for path in (there, fresh("csv"), "/large.parquet"):
                assert served.client.head(path).status_code == 200, path
            gate.open()
            assert making.result().status_code == 200
        assert served.get(fresh("csv")).status_code == 200


def test_two_hundred_clients_that_leave_keep_nothing_running(
    root: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "HOLD_SECONDS", 0.2)
    gate.shut()
    with serving_folder(root, production_limit=2) as served, ThreadPoolExecutor(20) as pool:

        def leave(number: int) -> None:
            # Or it is refused before that.
            with suppress(httpx2.ReadTimeout):
                if number % 2:
                    served.client.head(fresh("parquet"), timeout=0.05)
                else:
                    served.get(fresh("csv"), headers=FIRST_BYTE, timeout=0.05)

        most = [0]
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.01):
                most[0] = max(most[0], productions())

        watching = pool.submit(watch)
        list(pool.map(leave, range(200)))
        over.set()
        watching.result()
        assert most[0] <= 4
        assert eventually(lambda: productions() == 0)


def test_a_head_is_counted_by_rates(root: Path) -> None:
    with serving_folder(root, rate_limit="1/minute") as served:
        assert served.client.head(fresh("parquet")).status_code == 200
        assert refusal(served.client.head(fresh("parquet"))) == 429


def test_head_of_what_is_replaced_meanwhile_is_of_what_came(tmp_path: Path, gate: Gate) -> None:
    path = tmp_path / "table.parquet"
    tables.write(tables.large(1), path)
    gate.shut()
    with serving_folder(tmp_path) as served, ThreadPoolExecutor(1) as pool:
        head = pool.submit(served.client.head, "/table.parquet?field=text")
        assert eventually(lambda: gate.came)
        tables.write(tables.large(2), path)
        gate.open()
        whole = served.get("/table.parquet?field=text")
        assert head.result().headers["content-length"] == str(len(whole.content))
        assert head.result().headers["etag"] == whole.headers["etag"]
