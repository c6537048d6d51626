"""256 clients at the same time: what they counted is what the log and the metrics say."""

import asyncio
import re
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import tables
from tests.support.processes import Running, running, total
from tests.support.serving import eventually

CLIENTS, ROUNDS = 256, 3
# 24 MB as JSON: more than all buffers between the server and a client that reads little.
LARGE_GROUPS = 12
READ_BEFORE_LEAVING = 64 << 10


@dataclass(frozen=True, slots=True)
class Counted:
    """What a client saw of one request of its own."""

    request_id: str
    outcome: str
    status: int
    size: int


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> "Running":
    root = tmp_path_factory.mktemp("datasets")
    tables.write(tables.sample(), root / "sample.parquet")
    tables.write(tables.large(1), root / "medium.parquet")
    tables.write(tables.large(LARGE_GROUPS), root / "large.parquet")
    with running(root, METRICS="prometheus", CATALOGUE_MAX_AGE="30") as served:
        yield served


async def ask(port: int, identity: str, path: str, *, leave: bool = False, tag: str = "") -> Counted:
    """One request over a connection of its own, its body counted as it was before its chunks."""
    connection = socket.socket()
    # So little that a large result cannot pass while nobody reads.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=256 << 10)
    headers = ["Host: x", f"X-Request-ID: {identity}", "Connection: close"]
    if tag:
        headers.append(f"If-None-Match: {tag}")
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", *headers, "", ""]).encode())
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head.split()[1])
        if leave:
            size = len(await reader.readexactly(READ_BEFORE_LEAVING))
            # A reset, as when a tab is closed.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return Counted(identity, "cancelled", status, size)
        outcome = {200: "complete", 304: "not-modified"}.get(status, "refused")
        return Counted(identity, outcome, status, await body_size(reader, head))
    finally:
        writer.close()


async def body_size(reader: asyncio.StreamReader, head: str) -> int:
    """Read to the end of a body that has one, or raise."""
    if length := re.search(r"(?i)^content-length: (\d+)", head, re.MULTILINE):
        return len(await reader.readexactly(int(length[1])))
    if "transfer-encoding: chunked" not in head.lower():
        assert not await reader.read()
        return 0
    size = 0
    while chunk := int(await reader.readline(), 16):
        size += len(await reader.readexactly(chunk))
        await reader.readexactly(2)
    assert await reader.readexactly(2) == b"\r\n"
    return size


async def client(port: int, number: int, tag: str) -> list[Counted]:
    """One after another, another mix for each client."""
    found = []
    for turn in range(ROUNDS):
        identity, kind = f"client-{number:04}-{turn}", (number + turn * 3) % 8
        match kind:
            case 0:
                found.append(await ask(port, identity, "/large.json", leave=True))
            case 1:
                found.append(await ask(port, identity, "/sample.csv", tag=tag))
            case 2:
                found.append(await ask(port, identity, "/sample.csv?qualty=some"))
            case 3:
                found.append(await ask(port, identity, "/absent.csv"))
            case 4:
                found.append(await ask(port, identity, "/medium.ndjson"))
            case 5:
                # One of its own for each four clients: some are made, some joined, some kept.
                found.append(await ask(port, identity, f"/medium.csv?entity={number // 4}"))
            case 6:
                found.append(await ask(port, identity, "/sample.parquet"))
            case _:
                found.append(await ask(port, identity, "/sample.csv"))
    return found


async def load(port: int, tag: str) -> list[Counted]:
    async with asyncio.timeout(90):
        found = await asyncio.gather(*(client(port, number, tag) for number in range(CLIENTS)))
    return [each for many in found for each in many]


@pytest.mark.slow
def test_log_and_metrics_add_up_to_what_the_clients_counted(server: Running, tmp_path: Path) -> None:
    tag = server.get("/sample.csv", headers={"accept-encoding": "identity"}).headers["etag"]
    before = server.samples()
    counted = asyncio.run(load(server.port, tag))
    assert len(counted) == CLIENTS * ROUNDS
    assert set(Counter(each.outcome for each in counted)) == {
        "complete",
        "not-modified",
        "refused",
        "cancelled",
    }

    def logged() -> dict[str, dict[str, object]]:
        lines = {str(line["request_id"]): line for line in server.requests()}
        return {name: line for name, line in lines.items() if name.startswith("client-")}

    assert eventually(lambda: len(logged()) == len(counted))
    lines = logged()
    for each in counted:
        line = lines[each.request_id]
        assert (line["outcome"], line["status"]) == (each.outcome, each.status), line
        if each.outcome == "cancelled":
            # What the server had handed on when it learnt that the client was gone.
            assert line["bytes"] >= each.size
        else:
            assert line["bytes"] == each.size, line

    page = server.samples()

    def grown(name: str, **labels: str) -> float:
        return total(page, name, **labels) - total(before, name, **labels)

    ours = {"resource": "download"}
    for outcome, count in Counter(each.outcome for each in counted).items():
        assert grown("requests_total", **ours, outcome=outcome) == count
        assert grown("duration_seconds_count", **ours, outcome=outcome) == count
        sizes = sum(int(str(line["bytes"])) for line in lines.values() if line["outcome"] == outcome)
        assert grown("bytes_total", **ours, outcome=outcome) == sizes
    for status in "234":
        count = sum(each.status // 100 == int(status) for each in counted)
        assert grown("requests_total", **ours, status=f"{status}xx") == count
    sources = Counter(str(line["source"]) for line in lines.values() if "source" in line)
    assert set(sources) == {"made", "joined", "spool", "object"}
    assert sum(sources.values()) == sum(each.status == 200 for each in counted)
    for source, count in sources.items():
        assert grown("results_total", source=source) == count
    rows = sum(int(str(line["rows"])) for line in lines.values() if "rows" in line)
    assert grown("rows_total") == rows
    assert grown("errors_total") == 0
    assert total(page, "requests_running") == 1
    assert total(page, "productions_running") == total(page, "productions_queued") == 0
