"""The service listens where the Lambda Web Adapter asks, or says at once what would make it wait for ever."""

import pytest

from application.adapter import check_adapter, default_port
from application.cli import main
from application.errors import ConfigurationError

LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "download-lambda"}
NAMES = (
    "PORT",
    "HOST",
    "AWS_LWA_PORT",
    "AWS_LWA_HOST",
    "AWS_LWA_READINESS_CHECK_PORT",
    "READINESS_CHECK_PORT",
)


@pytest.mark.parametrize(
    ("environment", "port"),
    [
        ({}, "8000"),
        ({"PORT": "9000"}, "9000"),
        ({"PORT": "9000", "AWS_LWA_PORT": "9001"}, "9001"),
        ({"PORT": "", "AWS_LWA_PORT": ""}, "8000"),
        # The adapter's own, where an image sets none.
        (LAMBDA, "8080"),
        ({**LAMBDA, "PORT": "9000"}, "9000"),
    ],
)
def test_it_listens_where_the_adapter_asks(environment: dict[str, str], port: str) -> None:
    assert default_port(environment) == port
    check_adapter(int(port), environment)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"AWS_LWA_PORT": "8080"}, "AWS_LWA_PORT"),
        ({"PORT": "8000", "AWS_LWA_READINESS_CHECK_PORT": "8080"}, "AWS_LWA_READINESS_CHECK_PORT"),
        ({"READINESS_CHECK_PORT": "8080"}, "READINESS_CHECK_PORT"),
        ({"PORT": "8080", **LAMBDA}, "PORT"),
        ({"PORT": "", **LAMBDA}, "PORT"),
        ({"AWS_LWA_HOST": "10.0.0.1", **LAMBDA}, "AWS_LWA_HOST"),
    ],
)
def test_what_leads_the_adapter_elsewhere_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{named} is "):
        check_adapter(8000, environment)


@pytest.mark.parametrize(
    "environment",
    [
        {"PORT": "9000"},
        {"HOST": "a-machine"},
        {"AWS_LWA_PORT": ""},
        {"PORT": "9000", "AWS_LWA_PORT": "8000", **LAMBDA},
        {"AWS_LWA_READINESS_CHECK_PORT": "8000", "READINESS_CHECK_PORT": "8080", "HOST": "0.0.0.0"},
        {"PORT": "8000", "AWS_LWA_HOST": "localhost", **LAMBDA},
    ],
)
def test_what_leads_it_here_is_fine(environment: dict[str, str]) -> None:
    check_adapter(8000, environment)


def test_serve_says_it_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATASET_BUCKET", "./data")
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("AWS_LWA_READINESS_CHECK_PORT", "8080")
    assert main(["serve"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "download-lambda: AWS_LWA_READINESS_CHECK_PORT is '8080', and the service listens on 0: the Lambda "
        "Web Adapter would wait for ever. Remove AWS_LWA_READINESS_CHECK_PORT, or set it to 0."
    )
