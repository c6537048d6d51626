"""The settings, read from the environment at the edge only; docs/configuration.md describes each."""

import os
import re
from functools import cached_property
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from application.errors import ConfigurationError
from application.telemetry.memory import most_memory

MEBIBYTE = 1 << 20
# What a streamed response of Lambda's may have, whichever megabyte is meant.
LAMBDA_BYTES = 200_000_000
# For productions, where nothing else is set; and what the engine has by default.
LEAST_MEMORY, MOST_MEMORY = 64 * MEBIBYTE, 1024 * MEBIBYTE
ENGINE_MEMORY = 512 * MEBIBYTE

ByteSize = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?\s?([KMGT]i?B)$")]

# An empty prefix is the root, and an empty key a mistake, which must not open the service.
MEANT_WHEN_EMPTY = frozenset({"dataset_prefix", "api_key"})

STYLE_ADDRESS = re.compile(r"(https?://[A-Za-z0-9.-]+(?::[0-9]+)?)/[!-~]*", re.ASCII)

LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


def _on_lambda() -> bool:
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def _production_memory() -> int:
    """Half of what the system lets this process have beside the engine, up to 1 GiB: nothing is to swap."""
    most = most_memory()
    beside = MOST_MEMORY if most is None else (most - ENGINE_MEMORY) // 2
    return min(MOST_MEMORY, max(LEAST_MEMORY, beside))


class Settings(BaseSettings):
    """One frozen value; field names in capitals are the environment variables."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    dataset_bucket: str | None = None
    dataset_prefix: str = "dataset"
    dataset_region: str | None = None
    environment: str = "production"
    aws_region: str | None = None
    aws_profile: str | None = None
    aws_endpoint_url: str | None = None
    s3_endpoint_url: str | None = Field(
        default=None, validation_alias=AliasChoices("s3_endpoint_url", "s3_endpoint")
    )
    s3_use_ssl: bool | None = None
    public_url: str = ""
    pages: Literal["on", "off"] = "on"
    pages_dir: Path | None = None
    map_style_url: str = ""
    cors_allow_origins: str = ""
    csv_charset: bool = False
    api_key: SecretStr | None = None
    trusted_proxies: str = ""
    rate_limit: str = ""
    rate_limit_storage: SecretStr = SecretStr("memory")
    client_downloads: int = Field(default=0, ge=0)
    cache_max_age: int = Field(default=3600, ge=0)
    catalogue_max_age: float = Field(default=30.0, ge=0)
    storage_seconds: float = Field(default=30.0, gt=0)
    plan_seconds: float = Field(default=25.0, gt=0)
    duckdb_memory_limit: ByteSize = "512MB"
    duckdb_threads: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 4), ge=1, le=64)
    duckdb_temp_limit: ByteSize = "2GB"
    production_limit: int = Field(default=8, ge=1)
    production_queue: int = Field(default=256, ge=0)
    production_queue_seconds: float = Field(default=30.0, ge=0)
    production_memory: int = Field(default_factory=_production_memory, ge=LEAST_MEMORY)
    spool_dir: Path | None = Path(gettempdir())
    spool_max_bytes: int = Field(default=2048 * MEBIBYTE, ge=0)
    spool_max_result: int = Field(default=512 * MEBIBYTE, ge=0)
    production_seconds: float = Field(default=900.0, gt=0)
    production_stall_seconds: float = Field(default=120.0, gt=0)
    whole_seconds: float = Field(default=25.0, ge=0)
    client_stall_seconds: float = Field(default=120.0, gt=0)
    grace_seconds: float = Field(default=25.0, ge=0)
    page_checksums: Literal["auto", "always", "off"] = "auto"
    native_redirect_seconds: int = Field(default=0, ge=0, le=604800)
    whole_results: bool = Field(default_factory=_on_lambda)
    empty_bodies: bool = Field(default_factory=lambda: not _on_lambda())
    codings: Literal["on", "off"] = "on"
    response_max_bytes: int = Field(default_factory=lambda: LAMBDA_BYTES if _on_lambda() else 0, ge=0)
    export_bucket: str | None = None
    export_url_seconds: int = Field(default=3600, ge=1, le=604800)
    aws_lambda_function_name: str | None = None
    log_level: LogLevel = "INFO"
    log_format: Literal["text", "json"] = Field(default_factory=lambda: "json" if _on_lambda() else "text")
    metrics: Literal["off", "prometheus", "emf"] = Field(
        default_factory=lambda: "emf" if _on_lambda() else "off"
    )

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        # Deployments pass variables on without a value.
        return {name: value for name, value in given.items() if value != "" or name in MEANT_WHEN_EMPTY}

    @field_validator("csv_charset", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return True if isinstance(value, str) and value.lower() in ("utf-8", "utf8") else value

    @field_validator("public_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", value):
            raise ValueError("an address such as https://data.example.org is wanted, without a query")
        return value.rstrip("/")

    @field_validator("map_style_url")
    @classmethod
    def _a_style(cls, value: str) -> str:
        # Its origin goes into the pages' policy.
        if value and not STYLE_ADDRESS.fullmatch(value):
            raise ValueError("an address such as https://tiles.example.org/style.json is wanted")
        return value

    @field_validator("pages_dir")
    @classmethod
    def _a_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("it is no folder: make it, or name another")
        return value

    @field_validator("spool_dir", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        return None if value == "off" else value

    @property
    def duckdb_memory_bytes(self) -> int:
        """DUCKDB_MEMORY_LIMIT as a number."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s?([KMGT])(i?)B", self.duckdb_memory_limit)
        assert found  # noqa: S101 - its pattern has been compared
        number, prefix, binary = found.groups()
        return int(float(number) * (1024 if binary else 1000) ** ("KMGT".index(prefix) + 1))

    @property
    def endpoint_url(self) -> str | None:
        """The S3 server, also by its older names; None for AWS itself, or what AWS_ENDPOINT_URL_S3 names."""
        older = self.s3_endpoint_url
        if self.aws_endpoint_url or not older or os.environ.get("AWS_ENDPOINT_URL_S3"):
            return self.aws_endpoint_url
        # Of these a bare host was one; what it has of a scheme goes before S3_USE_SSL.
        return older if "://" in older else f"http{'' if self.s3_use_ssl is False else 's'}://{older}"

    @cached_property
    def cors_origins(self) -> tuple[str, ...]:
        """The origins of CORS_ALLOW_ORIGINS, which separates them by commas."""
        return tuple(part.strip() for part in self.cors_allow_origins.split(",") if part.strip())

    @property
    def has_pages(self) -> bool:
        """False where there is only the API."""
        return self.pages == "on"

    @property
    def map_origin(self) -> str:
        """Where the style of maps is from; empty where there is none."""
        found = STYLE_ADDRESS.fullmatch(self.map_style_url)
        return found[1] if found else ""

    @property
    def has_codings(self) -> bool:
        """False where no body is to be coded, whatever a client accepts."""
        return self.codings == "on"

    @property
    def is_lambda(self) -> bool:
        """True inside AWS Lambda, whose adapter says what no client could."""
        return self.aws_lambda_function_name is not None

    @property
    def is_development(self) -> bool:
        """True where the interactive API pages are shown."""
        return self.environment.lower() == "development"


def read_settings() -> Settings:
    """The environment's; raises ConfigurationError, which names the variables that are not understood."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [f"{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors(include_url=False)]
        raise ConfigurationError(f"These settings are not understood: {'; '.join(wrong)}.") from None
