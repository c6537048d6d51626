"""A real Redis that a test starts, stops, freezes and starts again on the same port."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SECONDS = 10.0


class RedisServer:
    """Redis with a password, keeping nothing on disk."""

    password = "the-password-of-the-tests"

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self._folder = folder
        self._tls = tls
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        scheme = "rediss" if self._tls else "redis"
        return f"{scheme}://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def certificate(self) -> Path:
        """The certificate with which it shows who it is, its own authority."""
        return self._folder / "redis.crt"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *("redis-server", "--bind", "127.0.0.1", *self._listening()),
                *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
                *("--requirepass", self.password),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + _SECONDS
        while not self._answers():
            assert time.monotonic() < end, "redis-server did not start"
            assert self._process.poll() is None, "redis-server ended"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait(_SECONDS)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing while the block runs."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _listening(self) -> list[str]:
        port = str(self.port)
        if not self._tls:
            return ["--port", port]
        key = self._folder / "redis.key"
        make = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=redis",
        ]
        named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(self.certificate)]
        subprocess.run([*make, *named], check=True, capture_output=True)
        certificate = ["--tls-cert-file", str(self.certificate), "--tls-key-file", str(key)]
        authority = ["--tls-ca-cert-file", str(self.certificate), "--tls-auth-clients", "no"]
        return ["--port", "0", "--tls-port", port, *certificate, *authority]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                if self._tls:
                    return True
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"-NOAUTH")
        except OSError:
            return False


@contextmanager
def redis_server(folder: Path, *, tls: bool = False) -> Iterator[RedisServer]:
    """A Redis for the block; skips the test where it is not installed, but never in CI."""
    if shutil.which("redis-server") is None and "CI" not in os.environ:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    server = RedisServer(folder, tls=tls)
    server.start()
    try:
        yield server
    finally:
        server.kill()
