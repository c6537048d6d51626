"""The compose file and Kubernetes' manifests: settings are the service's, and times and sizes fit."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from application.settings import Settings
from tests.deployment.dockerfile import read

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
# What uvicorn adds to GRACE_SECONDS (cli.py).
SERVER_SECONDS = 5
# Read by botocore and obstore themselves.
CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
KNOWN = {name.upper() for name in Settings.model_fields}
UNITS = {"Mi": 1 << 20, "Gi": 1 << 30, "MB": 10**6, "GB": 10**9, "m": 1 << 20, "g": 1 << 30}


def size(text: str) -> int:
    found = re.fullmatch(r"(\d+)(\w+)", text)
    assert found, text
    return int(found[1]) * UNITS[found[2]]


def loaded(settings: dict[str, str]) -> Settings:
    return Settings(**{name.lower(): value for name, value in settings.items() if name not in CREDENTIALS})


def instruction(name: str) -> str:
    return [step.text for step in read((ROOT / "Dockerfile").read_text()) if step.name == name][-1]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    """The manifests by their kinds."""
    documents = [
        document
        for file in sorted(KUBERNETES.glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(documents)
    return found


@pytest.fixture(scope="module")
def pod(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return manifests["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return only


def defaults(environment: dict[str, str | None]) -> dict[str, str]:
    """The values where the shell sets none: `${NAME:-default}` and `${NAME-default}`."""
    given = {name: value for name, value in environment.items() if value is not None}
    return {name: re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", str(value)) for name, value in given.items()}


def test_compose_gives_settings_that_the_service_has(compose: dict[str, Any]) -> None:
    given = defaults(compose["services"]["service"]["environment"])
    assert set(given) - CREDENTIALS <= KNOWN
    settings = loaded(given)
    assert settings.dataset_bucket == "/data"


def test_compose_waits_longer_than_the_service_needs_to_stop(compose: dict[str, Any]) -> None:
    service = compose["services"]["service"]
    grace = loaded(defaults(service["environment"])).grace_seconds
    assert int(service["stop_grace_period"].removesuffix("s")) > grace + SERVER_SECONDS


def test_composes_service_can_write_to_its_spool_and_nowhere_else(compose: dict[str, Any]) -> None:
    service = compose["services"]["service"]
    assert service["read_only"] is True
    assert "spool:/spool" in service["volumes"]
    assert all(volume == "spool:/spool" or volume["read_only"] for volume in service["volumes"])
    assert service["environment"]["SPOOL_DIR"] == "/spool"
    assert service["user"] == instruction("USER")
    assert "10001, 10001" in compose["services"]["spool"]["entrypoint"][-1]


def test_compose_keeps_every_container_small(compose: dict[str, Any]) -> None:
    for name in ("service", "redis"):
        service = compose["services"][name]
        assert set(service["deploy"]["resources"]["limits"]) >= {"cpus", "memory"}
        assert service["cap_drop"] == ["ALL"]
    memory = size(compose["services"]["service"]["deploy"]["resources"]["limits"]["memory"])
    settings = loaded(defaults(compose["services"]["service"]["environment"]))
    assert size(settings.duckdb_memory_limit) + settings.production_memory < 0.8 * memory


def test_kubernetes_gives_settings_that_the_service_has(manifests: dict[str, dict[str, Any]]) -> None:
    given = manifests["ConfigMap"]["data"]
    assert set(given) <= KNOWN
    assert all(isinstance(value, str) for value in given.values())
    loaded(given)


def test_kubernetes_probes_are_the_services_own(container: dict[str, Any]) -> None:
    port = {item["name"]: item["containerPort"] for item in container["ports"]}
    assert port["http"] == int(instruction("EXPOSE"))
    paths = {
        kind: container[kind]["httpGet"]["path"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    # A liveness probe that asked storage would restart every pod when S3 is away.
    assert paths == {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}


def test_kubernetes_waits_longer_than_the_service_needs_to_stop(
    manifests: dict[str, dict[str, Any]], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    grace = loaded(manifests["ConfigMap"]["data"]).grace_seconds
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    (sleep,) = re.findall(r"time\.sleep\((\d+)\)", command[-1])
    assert pod["terminationGracePeriodSeconds"] > int(sleep) + grace + SERVER_SECONDS
    # Unready is noticed, and new requests go elsewhere, before SIGTERM comes.
    assert int(sleep) >= container["readinessProbe"]["periodSeconds"]


def test_kubernetes_runs_it_as_the_image_does(pod: dict[str, Any], container: dict[str, Any]) -> None:
    context = pod["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == instruction("USER")
    assert context["fsGroup"] == context["runAsGroup"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    written = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert written == {"/spool", "/tmp"}


def test_what_kubernetes_gives_is_enough_for_what_the_settings_take(
    manifests: dict[str, dict[str, Any]], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    settings = loaded(manifests["ConfigMap"]["data"])
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "spool")["emptyDir"]
    made = settings.production_limit * settings.spool_max_result
    assert settings.spool_max_bytes + made + size(settings.duckdb_temp_limit) <= size(volume["sizeLimit"])
    limits = container["resources"]["limits"]
    assert size(volume["sizeLimit"]) < size(limits["ephemeral-storage"])
    assert size(settings.duckdb_memory_limit) + settings.production_memory < 0.8 * size(limits["memory"])
    assert str(settings.duckdb_threads) == limits["cpu"]


def test_kubernetes_parts_find_each_other(manifests: dict[str, dict[str, Any]]) -> None:
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    target = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", manifests["Deployment"]["metadata"]["name"])
    namespaces = {document["metadata"]["namespace"] for document in manifests.values()}
    assert len(namespaces) == 1


def test_a_roll_out_never_has_fewer_pods_than_wanted(manifests: dict[str, dict[str, Any]]) -> None:
    spec = manifests["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec["replicas"] >= 2


def test_images_of_others_are_pinned_by_digest(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert "build" in service or re.search(r":\d[\w.-]+@sha256:[0-9a-f]{64}$", service["image"])
