"""The scripts that release: run for real, against a real server and a program that plays `aws`."""

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support import tables
from tests.support.serving import Served, serving_folder

SCRIPTS = Path(__file__).parents[2] / "scripts"
OLD, NEW = ("1.dkr.ecr.eu-west-2.amazonaws.com/service@sha256:" + digit * 64 for digit in "ab")

# Keeps the function's image in a file, and fails where it is told to.
AWS = f"""\
#!{sys.executable}
import json, os, pathlib, sys
folder = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (folder / "calls").open("a") as log:
    log.write(json.dumps(words) + "\\n")
command = " ".join(words[1:2] if words[1] != "wait" else words[1:3])
image = words[words.index("--image-uri") + 1] if "--image-uri" in words else ""
plan = json.loads((folder / "plan").read_text())
if plan.get(command) in ("always", image):
    sys.exit("An error occurred (PlayedException)")
if command == "describe-images":
    print("sha256:" + "c" * 64)
if command == "get-function":
    print((folder / "image").read_text())
if command == "update-function-code":
    # What is published is a version, which nobody asks until the alias leads to it.
    (folder / ("published" if "--publish" in words else "image")).write_text(image)
    print("7" if "--publish" in words else "InProgress")
if command == "update-alias":
    assert words[words.index("--name") + 1 :][:3] == ["live", "--function-version", "7"]
    (folder / "image").write_text((folder / "published").read_text())
"""


@dataclass(slots=True)
class Lambda:
    """A function as the scripts see it: its image, what `aws` was told, and the URL it answers at."""

    folder: Path
    url: str = ""
    broken: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)
    holds_not_modified: bool = False

    @property
    def image(self) -> str:
        return (self.folder / "image").read_text()

    @property
    def calls(self) -> list[str]:
        """The commands, with `old` or `new` for the image they name."""
        told = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        short = {OLD: "old", NEW: "new"}
        return [
            " ".join([*words[1:2], *(word for word in words[2:3] if words[1] == "wait")])
            + "".join(f" {short[word]}" for word in words if word in short)
            for words in told
        ]

    def fail(self, **plan: str) -> None:
        """Make a command fail, for an image or always."""
        names = {name.replace("_", "-").replace("wait-", "wait "): value for name, value in plan.items()}
        (self.folder / "plan").write_text(json.dumps(names))

    def deploy(self, image: str = NEW, **env: str) -> "subprocess.CompletedProcess[str]":
        return run("deploy-function.sh", "service", image, self.url, "sample", path=str(self.folder), **env)


def run(script: str, *words: str, path: str = "", **env: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    clean |= {"RETRIES": "0", "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]}
    return subprocess.run(
        [str(SCRIPTS / script), *words],
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("datasets")
    tables.write(tables.sample(), folder / "sample.parquet")
    tables.write(tables.sample().slice(0, 0), folder / "empty.parquet")
    with serving_folder(folder) as served:
        yield served


@pytest.fixture
def function(server: Served, tmp_path: Path) -> Iterator[Lambda]:
    """A function whose URL leads to the real server, but for images that are broken."""
    (tmp_path / "aws").write_text(AWS)
    (tmp_path / "aws").chmod(0o755)
    (tmp_path / "image").write_text(OLD)
    (tmp_path / "calls").touch()
    made = Lambda(tmp_path)
    made.fail()
    with fronting(server, made) as made.url:
        yield made


class fronting:  # noqa: N801 - used as a function is
    """A front to the server, in the place of Lambda's: it answers 502 for a broken image."""

    def __init__(self, server: Served, function: Lambda) -> None:
        class Front(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                function.asked.append({name.lower(): value for name, value in self.headers.items()})
                if function.image in function.broken:
                    self.send_error(502)
                    return
                behind = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
                behind.request("GET", self.path, headers=dict(self.headers))
                answer = behind.getresponse()
                body = answer.read()
                behind.close()
                if answer.status == 304 and function.holds_not_modified:
                    # Until the client leaves.
                    self.rfile.read(1)
                    return
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                if answer.status != 304:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Front)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_the_smoke_test_passes_over_a_real_server(server: Served) -> None:
    done = run("smoke-test.sh", server.url, "sample", "quality=some")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "200 /health",
        "404 /no-such-dataset-of-the-smoke-test.csv",
        "200 /sample.csv?quality=some",
        "304 /sample.csv?quality=some",
        "200 /sample.csv?quality=some",
    ]


def test_the_smoke_test_without_a_dataset_asks_for_health_and_a_problem(server: Served) -> None:
    done = run("smoke-test.sh", f"{server.url}/")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("absent",), "status 404, not 200"),
        (("sample", "qualty=some"), "status 422, not 200"),
        (("sample", "quality=trustworthy"), "no rows"),
        (("empty",), "no rows"),
    ],
)
def test_the_smoke_test_fails_and_says_why(server: Served, words: tuple[str, ...], says: str) -> None:
    done = run("smoke-test.sh", server.url, *words)
    assert done.returncode == 1
    assert says in done.stderr


def test_the_smoke_test_has_nothing_to_note_of_a_service_without_codings(tmp_path: Path) -> None:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with serving_folder(tmp_path, codings="off") as uncoded:
        done = run("smoke-test.sh", uncoded.url, "sample")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_smoke_test_notes_that_an_answer_without_a_body_does_not_arrive(function: Lambda) -> None:
    function.holds_not_modified = True
    done = run("smoke-test.sh", function.url, "sample", STALL_SECONDS="1", GITHUB_ACTIONS="true")
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("smoke test: note: an answer without a body does not arrive")
    assert "::warning title=smoke test::an answer without" in done.stdout


def test_the_smoke_test_fails_where_nothing_listens() -> None:
    done = run("smoke-test.sh", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "no whole answer" in done.stderr


def test_the_smoke_test_sends_the_key_and_signs_when_told(function: Lambda) -> None:
    secrets = {"API_KEY": "k", "SIGN_REGION": "eu-west-2", "AWS_ACCESS_KEY_ID": "AKIA1"}
    secrets |= {"AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    done = run("smoke-test.sh", function.url, "sample", **secrets)
    assert done.returncode == 0, done.stderr
    for headers in function.asked:
        assert headers["x-api-key"] == "k"
        assert headers["x-amz-security-token"] == "t"
        assert "Credential=AKIA1/" in headers["authorization"]
        assert "/eu-west-2/lambda/aws4_request" in headers["authorization"]


def test_a_good_image_stays(function: Lambda) -> None:
    done = function.deploy()
    assert done.returncode == 0, done.stderr
    assert function.image == NEW
    assert function.calls == ["get-function", "update-function-code new", "wait function-updated-v2"]


def test_an_image_that_fails_the_smoke_test_gives_way_to_the_old_one(function: Lambda) -> None:
    function.broken = {NEW}
    done = function.deploy()
    assert done.returncode == 1, done.stderr
    assert function.image == OLD
    assert function.calls == [
        "get-function",
        "update-function-code new",
        "wait function-updated-v2",
        "wait function-updated-v2",
        "update-function-code old",
        "wait function-updated-v2",
    ]
    # The old one was tried as well.
    assert done.stdout.count("200 /health") == 1
    assert "serves " + OLD + " again" in done.stderr


def test_an_alias_is_moved_to_a_version_of_the_image_when_that_is_ready(function: Lambda) -> None:
    done = function.deploy(ALIAS="live")
    assert done.returncode == 0, done.stderr
    assert function.image == NEW
    assert function.calls == [
        "get-function",
        "update-function-code new",
        "wait function-updated-v2",
        "wait published-version-active",
        "update-alias",
    ]
    asked = json.loads((function.folder / "calls").read_text().splitlines()[0])
    assert asked[asked.index("--qualifier") + 1] == "live"


def test_an_alias_is_moved_back_from_an_image_that_fails_the_smoke_test(function: Lambda) -> None:
    function.broken = {NEW}
    done = function.deploy(ALIAS="live")
    assert done.returncode == 1, done.stderr
    assert function.image == OLD
    assert [call for call in function.calls if "update" in call and "wait" not in call] == [
        "update-function-code new",
        "update-alias",
        "update-function-code old",
        "update-alias",
    ]


@pytest.mark.parametrize("step", ["update_function_code", "wait_published_version_active"])
def test_an_alias_stays_where_the_new_version_never_gets_ready(function: Lambda, step: str) -> None:
    function.fail(**{step: "always"})
    assert function.deploy(ALIAS="live").returncode == 3
    assert function.image == OLD
    assert "update-alias" not in function.calls


def test_an_image_that_lambda_refuses_leaves_the_old_one(function: Lambda) -> None:
    function.fail(update_function_code=NEW)
    assert function.deploy().returncode == 1
    assert function.image == OLD


def test_an_update_that_never_ends_well_says_that_a_person_must_look(function: Lambda) -> None:
    function.fail(wait_function_updated_v2="always")
    done = function.deploy()
    assert done.returncode == 3
    assert "could not be put back" in done.stderr


def test_an_old_image_that_fails_too_says_that_a_person_must_look(function: Lambda) -> None:
    function.broken = {OLD, NEW}
    assert function.deploy().returncode == 3
    assert function.image == OLD


def test_a_function_that_cannot_be_read_is_left_alone(function: Lambda) -> None:
    function.fail(get_function="always")
    assert function.deploy().returncode == 2
    assert function.calls == ["get-function"]


@pytest.mark.parametrize("image", ["service:latest", f"{NEW[:-1]}", "service@sha256:"])
def test_an_image_without_a_digest_is_refused(function: Lambda, image: str) -> None:
    assert function.deploy(image).returncode == 2
    assert function.calls == []


def test_a_rollback_by_hand_is_a_deployment_of_the_older_image(function: Lambda) -> None:
    assert function.deploy(NEW).returncode == 0
    assert function.deploy(OLD).returncode == 0
    assert function.image == OLD


def test_the_job_learns_which_image_was_there_before(function: Lambda, tmp_path: Path) -> None:
    output = tmp_path / "output"
    run(
        *("deploy-function.sh", "service", NEW, function.url, "sample"),
        path=str(function.folder),
        GITHUB_OUTPUT=str(output),
    )
    assert output.read_text() == f"previous={OLD}\n"


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        (f"sha256:{'d' * 64}", f"imageDigest=sha256:{'d' * 64}"),
        ("0123456789abcdef0123456789abcdef01234567", "imageTag=0123456789ab"),
        ("0123456789ab", "imageTag=0123456789ab"),
    ],
)
def test_an_image_is_found_by_digest_or_commit(
    function: Lambda, tmp_path: Path, wanted: str, key: str
) -> None:
    output = tmp_path / "output"
    path = str(function.folder)
    done = run("find-image.sh", "1.amazonaws.com/team/service", wanted, path=path, GITHUB_OUTPUT=str(output))
    assert done.stdout == f"sha256:{'c' * 64}\n"
    assert output.read_text() == f"digest={done.stdout}"
    (told,) = (json.loads(line) for line in (function.folder / "calls").read_text().splitlines())
    assert told[2:6] == ["--repository-name", "team/service", "--image-ids", key]


@pytest.mark.parametrize("wanted", ["latest", "main", "0123456", "sha256:12", "0123456789ag", "$(id)"])
def test_what_names_no_image_is_refused(function: Lambda, wanted: str) -> None:
    assert run("find-image.sh", "r/service", wanted, path=str(function.folder)).returncode == 2
    assert function.calls == []


def test_an_image_that_is_not_there_is_a_failure(function: Lambda, tmp_path: Path) -> None:
    function.fail(describe_images="always")
    output = tmp_path / "output"
    done = run(
        *("find-image.sh", "r/service", "0123456789ab"), path=str(function.folder), GITHUB_OUTPUT=str(output)
    )
    assert done.returncode == 1
    assert not output.exists()


@pytest.fixture
def docker(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs build-docker.sh in a clean clone's likeness with a program that plays `docker`."""
    for name, body in {
        "docker": """\
            [[ $* != "buildx version" ]] || exit "${BUILDX:-0}"
            [[ $* != "buildx inspect"* ]] || exit 1
            printf '%s\\n' "$*" >> "$PLAYED/docker-calls"
            while [[ $# -gt 0 ]]; do
                [[ $1 != --metadata-file ]] || printf '{"containerimage.digest": "sha256:%064d"}' 7 > "$2"
                shift
            done
            """,
        "git": """\
            case $1 in
                rev-parse) echo 0123456789abcdef0123456789abcdef01234567 ;;
                status) printf '%s' "$CHANGES"; printf '%s' "$*" > "$PLAYED/status" ;;
            esac
            """,
    }.items():
        (tmp_path / name).write_text("#!/usr/bin/env bash\n" + dedent(body))
        (tmp_path / name).chmod(0o755)

    def build(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        env = {"PLAYED": str(tmp_path), "CHANGES": "", "GITHUB_OUTPUT": ""} | env
        return run("build-docker.sh", *words, path=str(tmp_path), **env)

    return build


def test_a_build_is_tagged_by_version_and_commit(docker: Callable[..., object], tmp_path: Path) -> None:
    from application import __version__

    done = docker()
    told = (tmp_path / "docker-calls").read_text()
    tags = ("0123456789ab", __version__, "latest")
    assert " ".join(f"--tag download-lambda:{tag}" for tag in tags) + " --load ." in told
    assert "--provenance=false" in told
    assert "docker run --rm --read-only" in done.stdout  # type: ignore[attr-defined]
    assert "download-lambda:latest" in done.stdout  # type: ignore[attr-defined]


def test_without_buildx_it_says_what_is_needed(docker: Callable[..., object], tmp_path: Path) -> None:
    done = docker(BUILDX="1")
    assert (done.returncode, done.stdout) == (2, "")  # type: ignore[attr-defined]
    assert done.stderr == "docker with its buildx plugin is needed.\n"  # type: ignore[attr-defined]
    assert not (tmp_path / "docker-calls").exists()


def test_a_push_tells_the_digest_and_has_the_commits_tag_alone(
    docker: Callable[..., object], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    docker("registry/service", PUSH="1", GITHUB_OUTPUT=str(output))
    assert "--tag registry/service:0123456789ab --push ." in (tmp_path / "docker-calls").read_text()
    assert output.read_text() == f"digest=sha256:{7:064d}\n"


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_an_image_is_built_for_the_platform_that_is_named(
    docker: Callable[..., object], tmp_path: Path, platform: str
) -> None:
    docker(PLATFORM=platform)
    assert f"buildx build --platform {platform} " in (tmp_path / "docker-calls").read_text()


def test_without_a_platform_it_is_what_lambda_has_by_default(
    docker: Callable[..., object], tmp_path: Path
) -> None:
    # A variable that GitHub does not have is an empty one.
    docker(PLATFORM="")
    assert "--platform linux/amd64 " in (tmp_path / "docker-calls").read_text()


@pytest.mark.parametrize("platform", ["arm64", "linux/arm64,linux/amd64", "linux/riscv64"])
def test_a_platform_that_lambda_does_not_have_is_refused(
    docker: Callable[..., object], tmp_path: Path, platform: str
) -> None:
    done = docker(PLATFORM=platform)
    assert done.returncode == 2  # type: ignore[attr-defined]
    assert "linux/amd64 or linux/arm64" in done.stderr  # type: ignore[attr-defined]
    assert not (tmp_path / "docker-calls").exists()


def test_a_build_takes_earlier_layers_and_leaves_its_own_where_it_is_told(
    docker: Callable[..., object], tmp_path: Path
) -> None:
    docker("registry/service", PUSH="1", CACHE="registry/service:cache")
    made, built = (tmp_path / "docker-calls").read_text().splitlines()
    assert made == "buildx create --name download-lambda --driver docker-container"
    assert "--builder download-lambda --cache-from type=registry,ref=registry/service:cache " in built
    # ECR takes no index in the place of an image.
    assert "--cache-to type=registry,ref=registry/service:cache,mode=max,image-manifest=true" in built


def test_without_a_cache_the_engines_own_builder_builds(
    docker: Callable[..., object], tmp_path: Path
) -> None:
    docker(CACHE="")
    built = (tmp_path / "docker-calls").read_text().splitlines()[0]
    assert "--builder" not in built
    assert "--cache" not in built


def test_what_is_not_committed_is_marked_and_never_pushed(
    docker: Callable[..., object], tmp_path: Path
) -> None:
    assert docker(PUSH="1", CHANGES=" M Dockerfile").returncode == 2  # type: ignore[attr-defined]
    assert not (tmp_path / "docker-calls").exists()
    docker(CHANGES=" M Dockerfile")
    assert "download-lambda:0123456789ab-modified" in (tmp_path / "docker-calls").read_text()


def test_what_is_not_in_the_image_may_change(docker: Callable[..., object], tmp_path: Path) -> None:
    docker()
    looked_at = (tmp_path / "status").read_text().partition(" -- ")[2]
    assert looked_at == "Dockerfile .dockerignore application requirements.txt scripts/slim.py"
