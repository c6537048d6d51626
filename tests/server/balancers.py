"""Instances of the service in processes of their own, and real balancers before them, as deploy/ has them."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.serving import SECONDS, eventually

DEPLOY = Path(__file__).parents[2] / "deploy"
# The examples' own: two servers, and where the balancer listens.
SERVERS, LISTENS = ("127.0.0.1:8001", "127.0.0.1:8002"), re.compile(r"(listen |bind :)8000")
# What a balancer that is not root may write.
NGINX_FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Instance:
    """The command `serve` on a port of its own, to be stopped and started again."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.folder = folder
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        skipped = ("AWS_", "DATASET_", "SPOOL_", "API_KEY", "TRUSTED_", "RATE_", "CLIENT_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(skipped)}
        given = {"DATASET_BUCKET": self.folder.as_uri(), "DATASET_PREFIX": "", "LOG_LEVEL": "ERROR"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "application", "serve", "--port", str(self.port)],
            env={**clean, **given, **self._environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert eventually(lambda: answers(self.port, "/ready")), "the instance did not start"

    def stop(self) -> None:
        """Tell it to stop, as a rolling restart does, and wait until it has."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._process = None

    def kill(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._process.wait(SECONDS)
            self._process = None


@contextmanager
def instances(folder: Path, number: int, **environment: str) -> Iterator[list[Instance]]:
    """So many instances over one folder."""
    made = [Instance(folder, **environment) for _ in range(number)]
    try:
        for instance in made:
            instance.start()
        yield made
    finally:
        for instance in made:
            instance.kill()


@contextmanager
def balancer(name: str, folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """nginx or haproxy over two instances, by its example in deploy/; yields its URL.

    Skips the test where it is not installed, but never in CI.
    """
    if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None and "CI" not in os.environ:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    port = free_port()
    with subprocess.Popen(
        COMMANDS[name](folder, ports, port),
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        try:
            assert eventually(lambda: answers(port, "/ready")), f"{name} did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()


@contextmanager
def balanced_client(name: str, folder: Path, pair: Sequence[Instance]) -> Iterator[httpx2.Client]:
    """A client of two instances through a balancer, without codings."""
    ports = [instance.port for instance in pair]
    headers = {"accept-encoding": "identity"}
    with (
        balancer(name, folder, ports) as url,
        httpx2.Client(base_url=url, headers=headers, timeout=SECONDS, trust_env=False) as client,
    ):
        yield client


def _nginx(folder: Path, ports: Sequence[int], port: int) -> list[str]:
    text = _example("nginx.conf", ports, rf"\g<1>127.0.0.1:{port}")
    written = "".join(f"{part}_temp_path {folder}/{part};\n" for part in NGINX_FOLDERS)
    path = folder / "nginx.conf"
    path.write_text(text.replace("http {", f"http {{\naccess_log off;\n{written}"))
    options = f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;"
    return ["nginx", "-c", str(path), "-p", str(folder), "-e", f"{folder}/error.log", "-g", options]


def _haproxy(folder: Path, ports: Sequence[int], port: int) -> list[str]:
    path = folder / "haproxy.cfg"
    path.write_text(_example("haproxy.cfg", ports, rf"bind 127.0.0.1:{port}"))
    return ["haproxy", "-db", "-f", str(path)]


COMMANDS = {"nginx": _nginx, "haproxy": _haproxy}


def _example(name: str, ports: Sequence[int], listens: str) -> str:
    text = (DEPLOY / name).read_text()
    for server, port in zip(SERVERS, ports, strict=True):
        assert server in text
        text = text.replace(server, f"127.0.0.1:{port}")
    text, found = LISTENS.subn(listens, text)
    assert found == 1
    return text


def answers(port: int, path: str) -> bool:
    """True where a path on this machine answers 200 now."""
    try:
        return httpx2.get(f"http://127.0.0.1:{port}{path}", timeout=1, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
