"""The service of an application: opened and closed with its lifespan, or made anew when settings change."""

import threading
from contextlib import suppress

from application.access.access import Access, open_access
from application.errors import Busy
from application.service import Service, Storages, name_storages, open_service, open_storages
from application.settings import Settings, read_settings
from application.telemetry import logger
from application.telemetry.requests import RequestObserver
from application.telemetry.tracing import stop_tracing

# After the start: what the service imports would hold up the server's own beginning.
OPENING_SECONDS = 0.05


class Lifespan:
    """The application's service: one for its lifespan, or, where there is none, one for each settings read.

    A TestClient without its context manager runs no lifespan, and the environment may be set after
    the application was imported; so without a lifespan the settings are read for every request.
    """

    def __init__(self, settings: Settings | None) -> None:
        self._given = settings
        self._in_lifespan = False
        self._settings: Settings | None = settings
        self._service: Service | None = None
        self._storages: Storages | None = None
        # Apart from the service: who may ask is known also where no bucket is set.
        self._access: tuple[Settings, Access] | None = None
        # Nor does one wait for the other, which takes some tenths of a second to open.
        self._access_lock = threading.Lock()
        self._opening: threading.Timer | None = None
        # Once it is set, the process begins nothing more.
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.observer = RequestObserver(self._readings)

    @property
    def settings(self) -> Settings:
        """The settings in force, read anew where there is no lifespan; raises ConfigurationError."""
        if self._given:
            return self._given
        if self._settings is None or not self._in_lifespan:
            self._settings = read_settings()
        return self._settings

    @property
    def access(self) -> Access:
        """Who may ask for how much, by the settings in force; raises ConfigurationError."""
        return self.access_for(self.settings)

    def access_for(self, settings: Settings) -> Access:
        """Who may ask for how much, by these settings; raises ConfigurationError."""
        with self._access_lock:
            if self._access and self._access[0] == settings:
                return self._access[1]
            if self._access:
                self._access[1].close()
                self._access = None
            access = _open_access(settings)
            self._access = settings, access
            return access

    def get(self) -> Service:
        """The service for the settings in force; raises ConfigurationError."""
        return self.service_for(self.settings)

    def opened(self, settings: Settings) -> Service | None:
        """The service for these settings if it is open; waits for nobody."""
        service = self._service
        return service if service and service.settings == settings else None

    def service_for(self, settings: Settings) -> Service:
        """The service for these settings; raises ConfigurationError."""
        with self._lock:
            if self._service and self._service.settings == settings:
                return self._service
            if self._service:
                self._service.close()
                self._service = None
            if not self._in_lifespan:
                # The last one's was set when it was closed; nobody stops this one yet.
                self._stopping = threading.Event()
            self._service = open_service(settings, self._storages, self._stopping)
            return self._service

    @property
    def is_open(self) -> bool:
        """True while there is a service, opened at first use or a moment after the start."""
        return self._service is not None

    def start(self) -> None:
        """Begin a lifespan; raises ConfigurationError, so that a server without a bucket does not start.

        The service opens a moment later, or when it is first asked for: the first /health comes before.
        """
        self._settings = self._given or read_settings()
        self._storages = open_storages(self._settings)
        self._in_lifespan = True
        # Not cleared, for what an earlier lifespan left behind is to go on stopping.
        self._stopping = threading.Event()
        self.access.start()
        self.observer.start(self._settings.metrics)
        self._opening = threading.Timer(OPENING_SECONDS, self._open)
        self._opening.daemon = True
        # Without a thread it is opened by who asks first.
        with suppress(RuntimeError):
            self._opening.start()

    def _open(self) -> None:
        try:
            self.get()
        except Busy as error:
            logger.warning("Not opened yet: %s", error)

    def _readings(self) -> dict[str, float]:
        service = self._service
        return service.readings() if service else {}

    def drain(self) -> None:
        """The process was told to stop: new downloads are refused."""
        self._stopping.set()
        service = self._service
        if service:
            service.drain()

    def stop(self) -> None:
        """End a lifespan."""
        if self._opening:
            self._opening.cancel()
            if self._opening.ident:
                self._opening.join()
        with self._lock, self._access_lock:
            service, self._service = self._service, None
            opened, self._access = self._access, None
            self._storages = None
            self._in_lifespan = False
        self.observer.stop()
        if service:
            service.close()
        stop_tracing()
        if opened:
            opened[1].close()


def check_settings(settings: Settings) -> None:
    """Raise ConfigurationError for what no service can start with; connects to nothing, and logs nothing."""
    name_storages(settings)
    _open_access(settings).close()


def _open_access(settings: Settings) -> Access:
    return open_access(
        None if settings.api_key is None else settings.api_key.get_secret_value(),
        settings.trusted_proxies,
        settings.rate_limit,
        settings.rate_limit_storage.get_secret_value(),
        settings.client_downloads,
        on_lambda=settings.is_lambda,
    )
