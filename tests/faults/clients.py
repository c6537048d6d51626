"""The clients that see the faults: what people download with. Each returns all it got, or fails."""

import asyncio
import http.client
import io
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from unittest import mock
from urllib.parse import urlsplit

import duckdb
import httpx2
import pyarrow as pa
from pyarrow import ipc

from application.client.fetch import fetch
from application.errors import DownloadError
from application.formats.compression import CODINGS, IDENTITY
from tests.support.readers import httpfs

SECONDS = 20.0
Read = Callable[[str, str, Path], "bytes | pa.Table"]


class Failed(Exception):
    """The client said, in its own way, that it has not got the download."""


@dataclass(frozen=True, slots=True)
class Client:
    """One client: what it needs to be there, and what it can read of a URL."""

    name: str
    read: Read
    needs: str = ""
    # Of a reader of tables; what fetches bytes takes everything.
    extensions: frozenset[str] | None = None
    # Those that it does not undo, or not ask for.
    never: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name

    @property
    def is_here(self) -> bool:
        """True where its package or program is installed."""
        return not self.needs or bool(find_spec(self.needs) or which(self.needs))

    def takes(self, extension: str, coding: str) -> bool:
        """True for what it can be asked for."""
        if self.extensions is None:
            return coding not in self.never
        return extension in self.extensions and coding == IDENTITY


def _http_client(url: str, coding: str, folder: Path) -> bytes:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request("GET", target, headers={"Accept-Encoding": coding})
        response = connection.getresponse()
        body = response.read()
        _check(response.status)
        return body
    finally:
        connection.close()


def _urllib(url: str, coding: str, folder: Path) -> bytes:
    request = urllib.request.Request(url, headers={"Accept-Encoding": coding})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=SECONDS) as response:
        body: bytes = response.read()
        return body


def _urllib3(url: str, coding: str, folder: Path) -> bytes:
    import urllib3

    with urllib3.PoolManager(retries=False, timeout=SECONDS) as pool:
        response = pool.request("GET", url, headers={"Accept-Encoding": coding})
        _check(response.status)
        return response.data


def _requests(url: str, coding: str, folder: Path) -> bytes:
    import requests

    with requests.Session() as session:
        session.trust_env = False
        response = session.get(url, headers={"Accept-Encoding": coding}, timeout=SECONDS)
        response.raise_for_status()
        return response.content


def _httpx(url: str, coding: str, folder: Path) -> bytes:
    answer = httpx2.get(url, headers={"Accept-Encoding": coding}, timeout=SECONDS, trust_env=False)
    return answer.raise_for_status().content


def _aiohttp(url: str, coding: str, folder: Path) -> bytes:
    import aiohttp

    async def get() -> bytes:
        limit = aiohttp.ClientTimeout(SECONDS)
        async with (
            aiohttp.ClientSession(auto_decompress=False, timeout=limit) as session,
            session.get(url, headers={"Accept-Encoding": coding}) as response,
        ):
            response.raise_for_status()
            return await response.read()

    return asyncio.run(get())


def _curl(url: str, coding: str, folder: Path) -> bytes:
    return _run(
        folder, "curl", "--silent", "--fail", "--noproxy", "*", "--max-time", f"{SECONDS:g}",
        "--header", f"Accept-Encoding: {coding}", "--output", "{file}", url,
    )  # fmt: skip


def _wget(url: str, coding: str, folder: Path) -> bytes:
    return _run(
        folder, "wget", "--quiet", "--no-proxy", "--tries=1", f"--timeout={SECONDS:g}",
        f"--header=Accept-Encoding: {coding}", "--output-document={file}", url,
    )  # fmt: skip


def _fetch(url: str, coding: str, folder: Path) -> bytes:
    output = folder / "fetched"
    # How patient it is, is no part of what is asked here.
    with mock.patch("application.client.fetch.MOST_TRIES", 2):
        fetch(url, output, wait=lambda _: None)
    return output.read_bytes()


def _fsspec(url: str, coding: str, folder: Path) -> bytes:
    import fsspec

    files = fsspec.filesystem("http", skip_instance_cache=True, headers={"Accept-Encoding": coding})
    body: bytes = files.cat_file(url)
    return body


def _pandas(url: str, coding: str, folder: Path) -> pa.Table:
    import pandas as pd

    read = {
        "csv": pd.read_csv,
        "json": pd.read_json,
        "ndjson": lambda address: pd.read_json(address, lines=True),
        "parquet": pd.read_parquet,
    }
    return pa.Table.from_pandas(read[_extension(url)](url), preserve_index=False)


# In a process of its own, with which its connections end. It asks again and again of what fails.
PATIENCE = 8.0
POLARS = """
import sys, polars as pl
read = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[sys.argv[2]]
read(sys.argv[1], storage_options={"max_retries": 0}).write_ipc(sys.argv[3])
"""


def _polars(url: str, coding: str, folder: Path) -> pa.Table:
    return ipc.open_file(
        _run(folder, sys.executable, "-c", POLARS, url, _extension(url), "{file}", seconds=PATIENCE)
    ).read_all()


def _duckdb(url: str, coding: str, folder: Path) -> pa.Table:
    read = {"csv": "read_csv", "json": "read_json", "ndjson": "read_json", "parquet": "read_parquet"}
    with duckdb.connect() as database:
        database.execute(f"LOAD '{httpfs()}'")
        database.execute("SET http_retries = 0")
        return database.execute(f"SELECT * FROM {read[_extension(url)]}('{url}')").to_arrow_table()


def _pyarrow(url: str, coding: str, folder: Path) -> pa.Table:
    import fsspec
    import pyarrow.csv
    import pyarrow.parquet

    with fsspec.filesystem("http", skip_instance_cache=True).open(url) as file:
        data = io.BytesIO(file.read())
    return pyarrow.csv.read_csv(data) if _extension(url) == "csv" else pyarrow.parquet.read_table(data)


CLIENTS = [
    client
    for client in (
        Client("http.client", _http_client),
        Client("curl", _curl, "curl"),
        Client("requests", _requests, "requests"),
        Client("wget", _wget, "wget"),
        Client("urllib", _urllib),
        Client("httpx2", _httpx),
        Client("fetch", _fetch, never=frozenset(CODINGS)),
        Client("urllib3", _urllib3),
        Client("aiohttp", _aiohttp, "aiohttp"),
        Client("fsspec", _fsspec, "fsspec", never=frozenset({"zstd"})),
        Client("pandas", _pandas, "pandas", frozenset({"csv", "json", "ndjson", "parquet"})),
        Client("polars", _polars, "polars", frozenset({"csv", "ndjson", "parquet"})),
        Client("duckdb", _duckdb, "duckdb", frozenset({"csv", "json", "ndjson", "parquet"})),
        Client("pyarrow", _pyarrow, "fsspec", frozenset({"csv", "parquet"})),
    )
    if client.is_here
]


def download(client: Client, url: str, coding: str, folder: Path) -> "bytes | pa.Table":
    """What a client got; Failed with its words, whatever it raises."""
    try:
        return client.read(url, coding, folder)
    except (Failed, DownloadError) as error:
        raise Failed(str(error)) from error
    except Exception as error:
        words = str(error).splitlines() or [""]
        raise Failed(f"{type(error).__name__}: {words[0]}") from error


def _check(status: int) -> None:
    if status >= 400:
        raise Failed(f"HTTP {status}")


def _run(folder: Path, *command: str, seconds: float = SECONDS) -> bytes:
    file = folder / "received"
    words = [word.replace("{file}", str(file)) for word in command]
    done = subprocess.run(words, capture_output=True, timeout=seconds, check=False, text=True)
    if done.returncode:
        said = done.stderr.splitlines()[-1:]
        raise Failed(": ".join([f"exit {done.returncode}", *said]))
    return file.read_bytes() if file.exists() else b""


def _extension(url: str) -> str:
    return urlsplit(url).path.rpartition(".")[2]
