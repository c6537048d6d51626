"""Keys, limits and headers over the whole application; no socket."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from application.main import create_app
from application.settings import Settings
from tests.support import tables

KEY, OTHER = "a-key-of-the-tests", "another-key"
ORIGIN = "https://www.example.org"
ACCESS = ("API_KEY", "TRUSTED_PROXIES", "RATE_LIMIT", "RATE_LIMIT_STORAGE", "CLIENT_DOWNLOADS")
Open = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_LAMBDA_FUNCTION_NAME", "DATASET_BUCKET", "ENVIRONMENT", *ACCESS):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["without a lifespan", "with one"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens an application with settings, over one dataset."""
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with ExitStack() as stack:

        def open_client(peer: str = "203.0.113.7", **settings: Any) -> TestClient:
            given = {"dataset_bucket": tmp_path.as_uri(), "dataset_prefix": "", **settings}
            app = create_app(Settings(**given))
            client = TestClient(app, client=(peer, 50000))
            stack.callback(app.state.lifespan.stop)
            stack.callback(client.close)
            if request.param == "with one":
                stack.enter_context(client)
            return client

        yield open_client


def test_with_keys_set_a_download_needs_one_of_them(opened: Open) -> None:
    client = opened(api_key=f"{KEY},{OTHER}")
    for path in (
        *("/sample.csv", "/dataset/sample.csv", "/datasets", "/datasets/sample", "/nothing"),
        *("/datasets/sample/manifest?format=csv", "/datasets/sample/estimate"),
        "/datasets/sample/status?format=csv",
    ):
        response = client.get(path)
        assert response.status_code == 401, path
        assert response.headers["www-authenticate"] == 'ApiKey realm="download-lambda"'
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["cache-control"] == "no-store"
        assert response.json()["code"] == "unauthorized"
        assert response.json()["request_id"] == response.headers["x-request-id"]
    for key in (KEY, OTHER):
        assert client.get("/sample.csv", headers={"x-api-key": key}).status_code == 200
        assert client.head("/sample.csv", headers={"X-API-Key": key}).status_code == 200
        # Blanks around it are no part of a field's value; not every server takes them away.
        assert client.get("/sample.csv", headers={"x-api-key": f" {key}\t"}).status_code == 200


@pytest.mark.parametrize(
    "keys", [["wrong"], [""], [f"{KEY} {KEY}"], [KEY, KEY], [KEY, "wrong"], [KEY.upper()]]
)
def test_a_wrong_key_and_two_of_them_are_refused(opened: Open, keys: list[str]) -> None:
    client = opened(api_key=KEY)
    assert client.get("/sample.csv", headers=[("x-api-key", key) for key in keys]).status_code == 401


def test_health_ready_and_preflights_need_no_key(opened: Open) -> None:
    client = opened(api_key=KEY, cors_allow_origins=ORIGIN)
    assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 200
    asked = {"origin": ORIGIN, "access-control-request-method": "GET"}
    response = client.options("/sample.csv", headers={**asked, "access-control-request-headers": "x-api-key"})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "x-api-key" in response.headers["access-control-allow-headers"]


def test_with_keys_set_no_shared_cache_keeps_what_a_key_opened(opened: Open) -> None:
    client = opened(api_key=KEY)
    client.headers["x-api-key"] = KEY
    e_tag = client.get("/sample.csv").headers["etag"]
    for path, headers, status in (
        ("/sample.csv", {}, 200),
        ("/sample.parquet", {}, 200),
        ("/sample.csv", {"range": "bytes=0-3"}, 206),
        ("/sample.csv", {"if-none-match": e_tag}, 304),
        ("/datasets/sample/manifest?format=csv", {}, 200),
    ):
        response = client.get(path, headers=headers)
        assert response.status_code == status
        assert response.headers["cache-control"] == "private, max-age=3600"
    assert opened().get("/sample.csv").headers["cache-control"] == "public, max-age=3600"


def test_no_key_and_no_password_is_in_what_settings_show_or_log(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "redis://:a-password-of-the-tests@127.0.0.1:1/0"
    with caplog.at_level(logging.DEBUG):
        client = opened(api_key=KEY, rate_limit="100/minute", rate_limit_storage=secret)
        assert client.get("/sample.csv", headers={"x-api-key": KEY}).status_code == 200
        assert client.get("/sample.csv", headers={"x-api-key": "a-wrong-key"}).status_code == 401
    settings = Settings(api_key=KEY, rate_limit_storage=secret)
    with pytest.raises(ValueError, match="client_downloads") as raised:
        Settings(api_key=KEY, rate_limit_storage=secret, client_downloads=KEY)
    for text in (caplog.text, repr(settings), str(settings.model_dump()), str(raised.value)):
        assert KEY not in text
        assert "wrong-key" not in text
        assert "a-password-of-the-tests" not in text
    assert "Redis is away" in caplog.text


def test_a_browser_can_read_why_it_was_refused(opened: Open) -> None:
    client = opened(api_key=KEY, rate_limit="2/hour", cors_allow_origins=ORIGIN)
    responses = [client.get("/sample.csv", headers={"origin": ORIGIN}) for _ in range(3)]
    assert [response.status_code for response in responses] == [401, 401, 429]
    for response in responses:
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "RateLimit-Policy" in response.headers["access-control-expose-headers"]
        assert "Retry-After" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origins", [ORIGIN, "*"])
def test_a_cache_can_tell_apart_what_it_keeps_for_which_origin(opened: Open, origins: str) -> None:
    client = opened(cors_allow_origins=origins)
    for headers in ({}, {"origin": ORIGIN}, {"origin": "https://elsewhere.example"}):
        varies = client.get("/sample.csv", headers=headers).headers["vary"]
        assert sorted(varies.split(", ")) == ["Accept-Encoding", "Origin"]


def test_a_rate_is_told_on_every_answer_and_ends_in_a_429(opened: Open) -> None:
    client = opened(rate_limit="1000/day;3/hour")
    told = []
    for status in (200, 200, 404, 429):
        response = client.get("/sample.csv" if status != 404 else "/nothing")
        assert response.status_code == status
        assert response.headers["ratelimit-policy"] == '"3/hour";q=3;w=3600, "1000/day";q=1000;w=86400'
        told.append(response.headers["ratelimit"])
    assert told[0] == '"3/hour";r=2;t=3600, "1000/day";r=999;t=86400'
    assert told[2].startswith('"3/hour";r=0;t=')
    assert response.json()["code"] == "rate-limited"
    assert "3 requests per hour" in response.json()["detail"]
    assert 3590 <= int(response.headers["retry-after"]) <= 3600


def test_watching_the_service_is_not_counted(opened: Open) -> None:
    client = opened(rate_limit="1/hour", cors_allow_origins=ORIGIN)
    for _ in range(3):
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 200
        assert client.get("/metrics").status_code != 429
        assert client.options("/sample.csv").status_code == 405
        asked = {"origin": ORIGIN, "access-control-request-method": "GET"}
        assert client.options("/sample.csv", headers=asked).status_code == 200
    assert client.get("/sample.csv").status_code == 200
    assert client.get("/sample.csv").status_code == 429


def test_each_key_has_a_rate_of_its_own_and_guesses_share_that_of_their_address(opened: Open) -> None:
    client = opened(rate_limit="2/hour", api_key=f"{KEY},{OTHER}")

    def status(key: str) -> int:
        return client.get("/sample.csv", headers={"x-api-key": key}).status_code

    assert [status(KEY) for _ in range(3)] == [200, 200, 429]
    assert [status(OTHER) for _ in range(3)] == [200, 200, 429]
    assert [status(f"guess-{number}") for number in range(3)] == [401, 401, 429]


def test_without_keys_set_a_key_makes_no_new_client(opened: Open) -> None:
    client = opened(rate_limit="1/hour")
    assert client.get("/sample.csv", headers={"x-api-key": "one"}).status_code == 200
    assert client.get("/sample.csv", headers={"x-api-key": "two"}).status_code == 429


def statuses(client: TestClient, *headers: dict[str, str]) -> list[int]:
    return [client.get("/sample.csv", headers=each).status_code for each in headers]


def test_a_client_that_forges_addresses_stays_one_client(opened: Open) -> None:
    context = json.dumps({"http": {"sourceIp": "5.6.7.8"}})
    forged = ({}, {"x-forwarded-for": "1.2.3.4"}, {"x-amzn-request-context": context})
    assert statuses(opened(rate_limit="1/hour"), *forged) == [200, 429, 429]
    trusting = opened(rate_limit="1/hour", trusted_proxies="10.0.0.5")
    assert statuses(trusting, *forged) == [200, 429, 429]


def test_clients_behind_a_trusted_proxy_are_told_apart(opened: Open) -> None:
    client = opened("10.0.0.5", rate_limit="1/hour", trusted_proxies="10.0.0.0/24")
    behind = [{"x-forwarded-for": f"9.9.9.9, {address}"} for address in ("1.2.3.4", "1.2.3.5", "1.2.3.4")]
    assert statuses(client, *behind) == [200, 200, 429]


@pytest.mark.parametrize(
    "context",
    [{"http": {"sourceIp": "203.0.113.{}"}}, {"identity": {"sourceIp": "203.0.113.{}"}}],
    ids=["Function URL", "REST API"],
)
def test_on_lambda_the_client_is_who_called_the_function(opened: Open, context: dict[str, Any]) -> None:
    client = opened("127.0.0.1", rate_limit="1/hour", aws_lambda_function_name="function", whole_results=True)
    called = [
        {
            "x-amzn-request-context": json.dumps(context).replace("{}", str(number)),
            "x-forwarded-for": f"9.9.9.{index}, 203.0.113.{number}",
        }
        for index, number in enumerate((1, 2, 1))
    ]
    assert statuses(client, *called) == [200, 200, 429]


def test_on_lambda_a_trusted_distribution_tells_the_viewer(opened: Open) -> None:
    client = opened(
        "127.0.0.1",
        rate_limit="1/hour",
        aws_lambda_function_name="function",
        trusted_proxies="203.0.113.0/24",
    )
    context = json.dumps({"http": {"sourceIp": "203.0.113.9"}})
    viewers = ("1.2.3.4", "1.2.3.5", "1.2.3.4")
    called = [
        {"x-amzn-request-context": context, "x-forwarded-for": f"9.9.9.9, {viewer}, 203.0.113.9"}
        for viewer in viewers
    ]
    assert statuses(client, *called) == [200, 200, 429]


def test_on_lambda_behind_a_load_balancer_the_last_entry_called_the_function(opened: Open) -> None:
    client = opened("127.0.0.1", rate_limit="1/hour", aws_lambda_function_name="function")
    context = json.dumps({"elb": {"targetGroupArn": "arn"}})
    called = [
        {"x-amzn-request-context": context, "x-forwarded-for": f"9.9.9.{index}, {address}"}
        for index, address in enumerate(("1.2.3.4", "1.2.3.5", "1.2.3.4"))
    ]
    assert statuses(client, *called) == [200, 200, 429]


def test_on_lambda_https_is_what_the_function_was_called_by(opened: Open) -> None:
    client = opened("127.0.0.1", aws_lambda_function_name="function")
    called = {"x-amzn-request-context": json.dumps({"http": {"sourceIp": "203.0.113.9"}})}
    for proto, told in (("https", "max-age=31536000"), ("http", None)):
        response = client.get("/sample.csv", headers={**called, "x-forwarded-proto": proto})
        assert response.headers.get("strict-transport-security") == told


def test_of_two_words_about_https_the_nearest_proxys_counts(opened: Open) -> None:
    client = opened("10.0.0.1", trusted_proxies="10.0.0.0/8")
    for first, last, told in (("http", "https", "max-age=31536000"), ("https", "http", None)):
        given = [("x-forwarded-proto", first), ("x-forwarded-proto", last)]
        response = client.get("/sample.csv", headers=given)
        assert response.headers.get("strict-transport-security") == told


@pytest.mark.parametrize(
    "context", ["", "nonsense", "[]", '"text"', '{"http": null}', '{"http": {"sourceIp": 1}}']
)
def test_on_lambda_a_context_without_an_address_fails_nothing(opened: Open, context: str) -> None:
    client = opened("127.0.0.1", rate_limit="9/hour", aws_lambda_function_name="function")
    assert client.get("/sample.csv", headers={"x-amzn-request-context": context}).status_code == 200


def test_what_the_function_sends_itself_on_lambda_needs_no_key_and_nobody_else_can_send_it(
    opened: Open,
) -> None:
    settings = {"api_key": KEY, "rate_limit": "4/hour"}
    event = {"x-amzn-request-context": "null"}
    inside = opened("127.0.0.1", **settings, aws_lambda_function_name="function")
    # There is no EXPORT_BUCKET, so that nothing is done with it.
    assert [inside.post("/events", json={}, headers=event).status_code for _ in range(6)] == [404] * 6
    called = {"x-amzn-request-context": json.dumps({"http": {"sourceIp": "203.0.113.9"}})}
    assert inside.post("/events", json={}, headers=called).status_code == 401
    assert inside.get("/sample.csv", headers=event).status_code == 401
    assert opened(**settings).post("/events", json={}, headers=event).status_code == 401


def test_every_answer_tells_browsers_to_do_nothing_more_with_it(opened: Open) -> None:
    client = opened(api_key=KEY)
    for path, key in (("/sample.csv", KEY), ("/sample.csv", ""), ("/nothing", KEY), ("/health", "")):
        headers = client.get(path, headers={"x-api-key": key}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert "strict-transport-security" not in headers


def test_the_pages_of_the_api_may_load_what_they_are_made_of(opened: Open) -> None:
    client = opened(environment="development")
    for path in ("/docs", "/redoc"):
        response = client.get(path)
        policy = response.headers["content-security-policy"]
        for host in (
            "https://cdn.jsdelivr.net",
            "https://fastapi.tiangolo.com",
            "https://fonts.googleapis.com",
        ):
            assert host in policy or host not in response.text


@pytest.mark.parametrize(
    ("peer", "told"), [("10.0.0.5", "max-age=31536000"), ("203.0.113.7", None)], ids=["trusted", "anyone"]
)
def test_only_a_trusted_proxy_can_say_that_a_request_came_by_https(
    opened: Open, peer: str, told: str | None
) -> None:
    client = opened(peer, trusted_proxies="10.0.0.5")
    response = client.get("/sample.csv", headers={"x-forwarded-proto": "https"})
    assert response.headers.get("strict-transport-security") == told
    assert "strict-transport-security" not in client.get("/sample.csv").headers


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate_limit", "often"), ("trusted_proxies", "everybody"), ("api_key", ",")],
)
def test_a_setting_of_access_that_is_wrong_stops_the_start_by_name(
    tmp_path: Path, name: str, value: str
) -> None:
    app = create_app(Settings(dataset_bucket=tmp_path.as_uri(), **{name: value}))
    with pytest.raises(Exception, match=name.upper()), TestClient(app):
        pass
    client = TestClient(app)
    response = client.get("/sample.csv")
    assert (response.status_code, response.json()["code"]) == (503, "not-configured")
    assert name.upper() in response.json()["detail"]
    client.close()


def test_without_a_bucket_a_key_is_still_asked_for() -> None:
    app = create_app(Settings(api_key=KEY))
    client = TestClient(app)
    assert client.get("/sample.csv").status_code == 401
    assert client.get("/sample.csv", headers={"x-api-key": KEY}).status_code == 503
    client.close()
    app.state.lifespan.stop()
