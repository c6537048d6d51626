"""That references lead somewhere and settings are the service's: what needs no provider to be seen."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from application.api.middleware.cors import EXPOSED
from application.downloads.notes import STALE_SECONDS
from application.settings import Settings
from application.telemetry.emf import NAMESPACE, UNITS
from tests.deployment.terraform import MODULES, ROOT, blocks, locals_of, names, text

SERVICE = ROOT / "modules" / "service"
by_module = pytest.mark.parametrize("module", MODULES, ids=lambda folder: folder.name)
ALARM = "aws_cloudwatch_metric_alarm"
MEBIBYTE = 1 << 20


@by_module
def test_every_variable_is_declared_and_used(module: Path) -> None:
    used = set(re.findall(r"\bvar\.(\w+)", text(module)))
    assert used == set(names(module, "variable"))


@by_module
def test_every_local_value_is_declared_and_used(module: Path) -> None:
    used = set(re.findall(r"\blocal\.(\w+)", text(module)))
    assert used == set(locals_of(module))


@by_module
def test_every_reference_leads_to_a_block(module: Path) -> None:
    declared = {
        ".".join(("data", *block.words[1:]) if block.words[0] == "data" else block.words[1:])
        for block in blocks(module)
        if block.words[0] in ("resource", "data")
    }
    used = set(re.findall(r"\b(?<![.\w\"/-])((?:data\.)?aws_\w+\.\w+)(?=[.\[\s,\])}]|$)", text(module), re.M))
    assert used <= declared
    # A data source that nobody asks is left over.
    assert {name for name in declared if name.startswith("data.")} <= used


@by_module
def test_what_is_counted_is_asked_by_number(module: Path) -> None:
    # depends_on names all of them.
    asking = re.sub(r"depends_on\s*=\s*\[[^]]*\]", "", text(module))
    for block in blocks(module):
        if block.words[0] in ("resource", "data"):
            name = ".".join(block.words if block.words[0] == "data" else block.words[1:])
            asked = re.findall(rf"(?<![\w.]){re.escape(name)}(\[\w+(?:\.\w+)?\])?[.\s,\]]", asking)
            wants = "count" in block.arguments or "for_each" in block.arguments
            assert all(bool(index) == wants for index in asked), name


@by_module
def test_every_module_call_gives_what_is_needed_and_nothing_else(module: Path) -> None:
    for name, call in names(module, "module").items():
        source = (module / call.arguments["source"].strip('"')).resolve()
        variables = names(source, "variable")
        given = set(call.arguments) - {"source"}
        needed = {name for name, variable in variables.items() if "default" not in variable.arguments}
        assert needed <= given <= set(variables), name


@by_module
def test_every_output_of_a_module_that_is_asked_for_is_there(module: Path) -> None:
    calls = names(module, "module")
    for call, output in re.findall(r"\bmodule\.(\w+)\.(\w+)", text(module)):
        source = (module / calls[call].arguments["source"].strip('"')).resolve()
        assert output in names(source, "output"), (call, output)


@by_module
def test_variables_and_outputs_say_what_they_are(module: Path) -> None:
    for kind in ("variable", "output"):
        for name, block in names(module, kind).items():
            assert block.arguments["description"].strip('"'), name
    assert all("type" in block.arguments for block in names(module, "variable").values())


@by_module
def test_terraform_and_the_provider_are_bounded_on_both_sides(module: Path) -> None:
    (block,) = (block for block in blocks(module) if block.words == ("terraform",))
    assert re.search(r'required_version = ">= [\d.]+, < 2"', block.body)
    assert re.search(r'source\s+= "hashicorp/aws"', block.body)
    assert re.search(r'version\s+= ">= 6\.\d+, < 7"', block.body)


def test_the_settings_it_gives_are_the_services() -> None:
    given = set(re.findall(r"^\s+([A-Z][A-Z_]+)\s+=|\{ ([A-Z_]+) =", locals_of(SERVICE)["settings"], re.M))
    given = {first or second for first, second in given}
    for example in ("staging", "production"):
        service = names(ROOT / "examples" / example, "module")["service"]
        given |= set(re.findall(r"^\s+([A-Z][A-Z_]+)\s*=", service.arguments.get("settings", ""), re.M))
    assert len(given) > 8
    assert given <= {name.upper() for name in Settings.model_fields}


def test_the_url_and_the_cdn_expose_the_headers_that_the_service_does() -> None:
    exposed = re.findall(r'"([\w-]+)"', locals_of(SERVICE)["exposed_headers"])
    assert set(exposed) >= set(EXPOSED)


def test_cors_is_told_in_one_place_only() -> None:
    assert "CORS_ALLOW_ORIGINS" not in locals_of(SERVICE)["settings"]


def test_a_url_has_both_permissions_for_each_who_asks() -> None:
    permissions = [
        block for block in blocks(SERVICE) if block.words[:2] == ("resource", "aws_lambda_permission")
    ]
    asks: dict[str, set[str]] = {}
    for block in permissions:
        asks.setdefault(block.arguments["principal"], set()).add(block.arguments["action"].strip('"'))
        if block.arguments["action"] == '"lambda:InvokeFunction"':
            assert block.arguments["invoked_via_function_url"] == "true"
    assert set(asks) == {'"*"', '"cloudfront.amazonaws.com"'}
    assert all(actions == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"} for actions in asks.values())


def test_the_function_may_do_what_it_does_and_no_more() -> None:
    (policy,) = (
        block for block in blocks(SERVICE) if block.words[1:] == ("aws_iam_policy_document", "function")
    )
    actions = set(re.findall(r'"(\w+:\w+)"', policy.body))
    assert actions - {"s3:prefix"} == {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "lambda:InvokeFunction",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    # Traces know no resource; everything else is named.
    statements = re.split(r"statement\"? \{", policy.body)
    assert ["SendTraces" in part for part in statements if 'resources = ["*"]' in part] == [True]


def test_every_alarm_tells_somebody_and_keeps_still_without_data() -> None:
    alarms = [block for block in blocks(SERVICE) if block.words[1:2] == (ALARM,)]
    assert {block.words[2] for block in alarms} == {"function", "service", "memory"}
    for block in alarms:
        assert block.arguments["alarm_actions"] == block.arguments["ok_actions"] == "var.alarm_topic_arns"
        assert block.arguments["treat_missing_data"] == '"notBreaching"'


def test_the_services_own_alarms_are_about_metrics_that_it_has() -> None:
    (alarm,) = (block for block in blocks(SERVICE) if block.words[1:] == (ALARM, "service"))
    assert alarm.arguments["namespace"] == f'"{NAMESPACE}"'
    watched = re.findall(r"^\s*(\w+)\s+= \{", locals_of(SERVICE)["own_alarms"], re.M)
    assert watched
    assert set(watched) <= UNITS.keys()


Evaluate = Callable[..., Any]


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    """Terraform's own value of an expression over variables.tf and settings.tf, which need no provider."""
    terraform = shutil.which("terraform")
    if terraform is None:
        if os.environ.get("CI"):
            pytest.fail("terraform is not installed")
        pytest.skip("terraform is not installed")
    for name in ("variables.tf", "settings.tf"):
        shutil.copy(SERVICE / name, tmp_path)
    (tmp_path / "exports.tf").write_text('locals { export_bucket = "the-exports" }')
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}

    def evaluate(expression: str, **variables: Any) -> Any:
        given = {"name": "ab", "image_uri": f"r@sha256:{'a' * 64}", "dataset_bucket": "data"} | variables
        (tmp_path / "given.tfvars.json").write_text(json.dumps(given))
        done = subprocess.run(
            [terraform, "console", "-var-file=given.tfvars.json"],
            input=f"jsonencode({expression})\n",
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if "Error" in done.stderr:
            raise ValueError(re.sub(r"\x1b\[\d*m|[│╷╵]", "", done.stderr))
        return json.loads(json.loads(done.stdout.splitlines()[-1]))

    return evaluate


@pytest.mark.parametrize(
    ("root", "prefix", "location", "keys"),
    [
        ("", "dataset", "data", "dataset"),
        ("open", "dataset", "s3://data/open", "open/dataset"),
        ("/open/data/", "", "s3://data/open/data", "open/data"),
        ("", "", "data", ""),
    ],
)
def test_the_function_reads_where_the_service_looks(
    evaluate: Evaluate, root: str, prefix: str, location: str, keys: str
) -> None:
    given = {"dataset_root": root, "dataset_prefix": prefix}
    assert evaluate("local.settings", **given)["DATASET_BUCKET"] == location
    assert evaluate("local.dataset_keys", **given) == keys


@pytest.mark.parametrize(("memory", "storage"), [(1024, 512), (3008, 4096), (10240, 10240)])
def test_what_the_function_is_given_fits_its_memory_and_disk(
    evaluate: Evaluate, memory: int, storage: int
) -> None:
    given = evaluate("local.settings", memory_mb=memory, ephemeral_storage_mb=storage)
    settings = Settings(**{name.lower(): value for name, value in given.items()})
    engine = int(settings.duckdb_memory_limit.removesuffix("MiB"))
    assert engine * MEBIBYTE + settings.production_memory < 0.8 * memory * MEBIBYTE
    spill = int(settings.duckdb_temp_limit.removesuffix("MiB")) * MEBIBYTE
    made = settings.production_limit * settings.spool_max_result
    assert spill + made + settings.spool_max_bytes < 0.95 * storage * MEBIBYTE


def test_settings_of_ones_own_come_last(evaluate: Evaluate) -> None:
    given = evaluate("local.settings", settings={"PRODUCTION_LIMIT": "2", "LOG_LEVEL": "DEBUG"})
    assert (given["PRODUCTION_LIMIT"], given["LOG_LEVEL"]) == ("2", "DEBUG")


def test_exports_are_told_of_only_where_there_is_a_bucket(evaluate: Evaluate) -> None:
    assert "EXPORT_BUCKET" not in evaluate("local.settings")
    assert evaluate("local.settings", export_bucket=True)["EXPORT_BUCKET"] == "the-exports"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Upper"},
        {"image_uri": "repository:latest"},
        {"architecture": "riscv"},
        {"memory_mb": 512},
        {"timeout_seconds": 20},
        {"ephemeral_storage_mb": 20000},
        {"url_auth_type": "PUBLIC"},
        {"cdn_aliases": ["files.example.org"]},
        {"settings": {"AWS_REGION": "eu-west-1"}},
        {"settings": {"DATASET_REGION": "eu-west-1"}},
        {"dataset_region": "London"},
        {"reserved_concurrency": -2},
        {"reserved_concurrency": 1.5},
        {"provisioned_concurrency": -1},
        {"provisioned_concurrency": 6, "reserved_concurrency": 5},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_before_anything_is_made(
    evaluate: Evaluate, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="Invalid value for variable"):
        evaluate("local.settings", **wrong)


@pytest.mark.parametrize(
    "limit",
    [
        {"RATE_LIMIT": "60/minute"},
        {"RATE_LIMIT": "60/minute", "RATE_LIMIT_STORAGE": "memory"},
        {"RATE_LIMIT": "60/minute", "RATE_LIMIT_STORAGE": ""},
        {"CLIENT_DOWNLOADS": "4"},
    ],
    ids=str,
)
def test_a_limit_that_cannot_limit_on_lambda_is_refused_and_another_way_told(
    evaluate: Evaluate, limit: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="Invalid value for variable") as refused:
        evaluate("local.settings", settings=limit)
    said = " ".join(str(refused.value).split())
    assert "cannot limit on Lambda" in said
    assert "cdn_web_acl_arn" in said
    assert "reserved_concurrency" in said


@pytest.mark.parametrize(
    "limit",
    [
        {"RATE_LIMIT": "60/minute", "RATE_LIMIT_STORAGE": "rediss://:secret@redis.example.org:6379/0"},
        {"RATE_LIMIT": "60/minute", "RATE_LIMIT_STORAGE": "redis://redis.example.org"},
        {"RATE_LIMIT_STORAGE": "memory"},
        {"RATE_LIMIT": ""},
        {"CLIENT_DOWNLOADS": "0"},
    ],
    ids=str,
)
def test_a_limit_that_all_processes_share_is_taken(evaluate: Evaluate, limit: dict[str, str]) -> None:
    given = evaluate("local.settings", settings=limit)
    assert limit.items() <= given.items()
    Settings(**{name.lower(): value for name, value in given.items() if value})


def test_an_event_that_waited_too_long_is_dropped_as_the_next_client_begins_anew() -> None:
    (config,) = (
        block for block in blocks(SERVICE) if block.words[1:2] == ("aws_lambda_function_event_invoke_config",)
    )
    assert float(config.arguments["maximum_event_age_in_seconds"]) <= STALE_SECONDS
    assert config.arguments["maximum_retry_attempts"] == "0"
