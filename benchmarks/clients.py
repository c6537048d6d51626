"""Many clients at once, in a process of their own: what they get, and how long /health takes meanwhile.

Run as a program with a JSON task as its argument; it prints what it measured as JSON.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from itertools import count

READ_BYTES = 1 << 20
HEALTH_PAUSE_SECONDS = 0.02
PLACE = "{}"  # in a path: the number of the request, so that no two are equal


@dataclass(slots=True)
class Tally:
    """Bytes, and seconds of each download to its first byte and to its end."""

    size: int = 0
    first: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)


async def fetch(port: int, path: str, tally: Tally) -> None:
    """One download on a connection of its own; raises on any status but 200 and on a short body."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=READ_BYTES)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path}: {head.splitlines()[0].decode()}")
        last, first = b"", True
        while data := await reader.read(READ_BYTES):
            if first:
                tally.first.append(time.perf_counter() - began)
                first = False
            tally.size += len(data)
            last = (last + data)[-5:]
        if b"\r\ntransfer-encoding: chunked" in head.lower() and last != b"0\r\n\r\n":
            raise RuntimeError(f"{path}: broken off")
        tally.total.append(time.perf_counter() - began)
    finally:
        writer.close()


async def ask(port: int, path: str, tally: Tally, end: float, numbers: "count[int]") -> None:
    while time.perf_counter() < end:
        await fetch(port, path.replace(PLACE, str(next(numbers))), tally)


async def load(port: int, groups: dict[str, tuple[int, str]], seconds: float) -> dict[str, object]:
    """So many clients of each group ask for their path again and again; what each group got."""
    tallies = {name: Tally() for name in groups}
    numbers, began = count(time.time_ns() % 10**9), time.perf_counter()
    await asyncio.gather(
        *(
            ask(port, path, tallies[name], began + seconds, numbers)
            for name, (clients, path) in groups.items()
            for _ in range(clients)
        )
    )
    took = time.perf_counter() - began
    return {
        name: {"seconds": took, "size": tally.size, "first": tally.first, "total": tally.total}
        for name, tally in tallies.items()
    }


async def health(port: int, seconds: float) -> list[float]:
    """Seconds that /health took, each time on a new connection."""
    tally, end = Tally(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        await fetch(port, "/health", tally)
        await asyncio.sleep(HEALTH_PAUSE_SECONDS)
    return tally.total


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    work = health if task.pop("is_health") else load
    print(json.dumps(asyncio.run(work(**task))))
