"""The server that `serve` runs: uvicorn, in one process or in several at one address."""

import os
from contextlib import nullcontext, suppress

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from application.adapter import check_adapter
from application.allowances import raise_file_limit
from application.introduction import room_for
from application.lifespan import check_settings
from application.protocol import HttpProtocol
from application.settings import Settings
from application.telemetry.logs import uvicorn_log_config
from application.telemetry.requests import PROMETHEUS
from application.telemetry.shared import shared_metrics

# For clients, storage and the spool; more is no use to one process.
MOST_FILES = 1 << 16
# Above the 4 s for which the Lambda Web Adapter keeps its connections to the application.
KEEP_ALIVE_SECONDS = 65


class Supervisor(Multiprocess):
    """uvicorn's, which at a stop also lets go of the address: else who connects then would wait in vain."""

    def terminate_all(self) -> None:
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    @property
    def failed(self) -> bool:
        """True when a worker could not start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)


def configured(settings: Settings, host: str, port: int, workers: int) -> uvicorn.Config:
    """How the server runs; with one process it has loaded the application. Raises ConfigurationError."""
    # Here, for a server tells what is wrong with them by a traceback.
    check_settings(settings)
    check_adapter(port, os.environ)
    raise_file_limit(MOST_FILES)
    config = uvicorn.Config(
        "application.main:app",
        host=host,
        port=port,
        workers=workers,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        lifespan="on",
        http=HttpProtocol,
        # uvloop resets who comes when all files are in use; with the other they wait.
        loop="asyncio" if room_for(settings).tight else "auto",
        # It would believe whoever calls from this machine; TRUSTED_PROXIES says whom the service believes.
        proxy_headers=False,
        # After the service's own grace period, for what even a broken tape does not end.
        timeout_graceful_shutdown=int(settings.grace_seconds) + 5,
        log_config=uvicorn_log_config(settings.log_format),
    )
    if workers == 1:
        config.load()
    return config


def serve(config: uvicorn.Config, settings: Settings) -> int:
    """Serve until a signal says stop and every process has ended; returns the exit status."""
    if config.workers == 1:
        server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):
            server.run()
        return 0 if server.started else STARTUP_FAILURE
    with shared_metrics() if settings.metrics == PROMETHEUS else nullcontext():
        supervisor = Supervisor(config, sockets=[config.bind_socket()])
        supervisor.run()
    return STARTUP_FAILURE if supervisor.failed else 0
