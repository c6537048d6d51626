"""The lines of the server itself, as its command or somebody's uvicorn starts it, and CloudWatch's."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import tables
from tests.support.processes import FOREIGN, running
from tests.support.serving import SECONDS
from tests.telemetry.test_emf import check


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    return tmp_path


def test_every_line_of_the_command_is_of_one_form(folder: Path) -> None:
    with running(folder) as server:
        server.get("/sample.csv")
        server.process.terminate()
        server.process.wait(SECONDS)
    records = server.records()
    messages = [record["message"] for record in records]
    assert {record["logger"] for record in records} == {"uvicorn.error", "download"}
    assert messages[0].startswith("Started server process")
    assert messages[-1].startswith("Finished server process")
    # uvicorn's access line would be a second one.
    assert sum("/sample.csv" in line for line in server.lines) == 1


def test_a_uvicorn_started_by_hand_writes_the_same_form_once_the_service_starts(folder: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    given = {"DATASET_BUCKET": folder.as_uri(), "DATASET_PREFIX": "", "LOG_FORMAT": "json"}
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "application.main:app", "--port", "0"],
        env={**clean, **given},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "Uvicorn running" in line:
                break
        process.terminate()
        out, rest = process.communicate(timeout=SECONDS)
    lines += rest.splitlines()
    # Before the service starts, the form is uvicorn's.
    assert [line.partition(":")[0] for line in lines[:2]] == ["INFO", "INFO"]
    messages = [json.loads(line)["message"] for line in lines[2:]]
    assert messages[0].startswith("Starting download-lambda ")
    assert any(message.startswith("Uvicorn running") for message in messages)
    assert messages[-1].startswith("Finished server process")
    assert not out


def test_on_lambda_lines_are_json_and_metrics_cloudwatchs(folder: Path, tmp_path: Path) -> None:
    written = tmp_path / "stdout"
    with written.open("w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", _with_stdout(subprocess.Popen, out))
        with running(folder, AWS_LAMBDA_FUNCTION_NAME="my-function", LOG_FORMAT="") as server:
            size = len(server.get("/sample.csv", headers={"accept-encoding": "identity"}).content)
            server.get("/absent.csv")
            server.get("/health")
            server.process.terminate()
            server.process.wait(SECONDS)
    assert [line["status"] for line in server.requests()] == [200, 404]
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert len(lines) == 2
    for line in lines:
        check(line)
        assert line["FunctionName"] == "my-function"
    assert [line["request_id"] for line in lines] == [line["request_id"] for line in server.requests()]
    assert (lines[0]["Bytes"], lines[0]["Requests"], lines[0]["Errors"]) == (size, 1, 0)


def _with_stdout(popen: Any, out: Any) -> Any:
    return lambda *arguments, **options: popen(*arguments, **{**options, "stdout": out})
