"""Several processes that serve one address, for `serve --workers`."""

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess


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


def serve(config: Config) -> int:
    """Serve until a signal says stop and every worker has ended; returns the exit status."""
    supervisor = Supervisor(config, sockets=[config.bind_socket()])
    supervisor.run()
    return STARTUP_FAILURE if supervisor.failed else 0
