"""Where the Lambda Web Adapter looks for the service, by its own variables, which may lead it elsewhere."""

from collections.abc import Mapping

from application.errors import ConfigurationError

PORT = 8000
# Where none of its variables says anything.
ADAPTERS_PORT = 8080
# In the order in which it reads them: the first that is set counts, be it empty.
PORT_NAMES = ("AWS_LWA_PORT", "PORT")
READINESS_NAMES = ("AWS_LWA_READINESS_CHECK_PORT", "READINESS_CHECK_PORT")
HOST_NAMES = ("AWS_LWA_HOST", "HOST")
OWN_HOSTS = ("127.0.0.1", "localhost", "0.0.0.0")  # noqa: S104 - nothing listens by this


def default_port(environment: Mapping[str, str]) -> str:
    """The port to listen on where nobody names one: the one that the adapter asks, where there is one."""
    named = [environment[name] for name in PORT_NAMES if environment.get(name)]
    return named[0] if named else str(ADAPTERS_PORT if _is_lambda(environment) else PORT)


def check_adapter(port: int, environment: Mapping[str, str]) -> None:
    """Raise ConfigurationError where the adapter would wait for ever for what listens on ``port``."""
    is_lambda = _is_lambda(environment)
    # Elsewhere PORT and HOST are anybody's, and `--port` goes before them.
    for names in (PORT_NAMES if is_lambda else PORT_NAMES[:1], READINESS_NAMES):
        name, value = _first(names, environment)
        if name and value != str(port) and (value or is_lambda):
            raise ConfigurationError(
                f"{name} is {value!r}, and the service listens on {port}: the Lambda Web Adapter would wait "
                f"for ever. Remove {name}, or set it to {port}."
            )
    name, value = _first(HOST_NAMES, environment)
    if name and value not in OWN_HOSTS and is_lambda:
        raise ConfigurationError(
            f"{name} is {value!r}: the Lambda Web Adapter would wait there for ever. Remove {name}."
        )


def _first(names: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, str]:
    return next(((name, environment[name].strip()) for name in names if name in environment), ("", ""))


def _is_lambda(environment: Mapping[str, str]) -> bool:
    return "AWS_LAMBDA_FUNCTION_NAME" in environment
