"""No key, signature or password comes through, and what is none does."""

import duckdb
import pytest

from application.telemetry.redaction import HIDDEN, hide, hide_environment, redact

SIGNED = (
    "http://127.0.0.1:9000/bucket/tree.parquet?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIATESTKEY00001%2F20260101%2Feu-west-2%2Fs3%2Faws4_request"
    "&X-Amz-Security-Token=FwoGZXIvYXdzEA&X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6&X-Amz-Expires=60"
)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (SIGNED, "5d672d79c15b13162d9279b0855cfba6"),
        (SIGNED, "AKIATESTKEY00001"),
        (SIGNED, "FwoGZXIvYXdzEA"),
        ("Authorization: Bearer abc.def.ghi", "abc.def.ghi"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=ABCDEFGH/20260101, Signature=0a1b2c3d", "ABCDEFGH"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=ABCDEFGH/20260101, Signature=0a1b2c3d", "0a1b2c3d"),
        ("{'x-api-key': 'k1'}", "k1"),
        ("[(b'host', b'x'), (b'x-api-key', b'one-key')]", "one-key"),
        ("X-Api-Key: one-key", "one-key"),
        ("/tree.csv?api_key=one-key&limit=1", "one-key"),
        ("redis://user:pass-word@127.0.0.1:6379/0", "pass-word"),
        ("redis://:pass-word@127.0.0.1:6379/0", "pass-word"),
        ("<SignatureProvided>0a1b2c3d=</SignatureProvided>", "0a1b2c3d"),
        ("<StringToSign>AWS4-HMAC-SHA256\n2026\nabc</StringToSign>", "2026"),
        ("<SecretAccessKey>Xy/12345</SecretAccessKey>", "Xy/12345"),
        ('{"SecretAccessKey" : "Xy/12345", "Expiration": "2026"}', "Xy/12345"),
        ('{"SessionToken": "FwoGZXIv"}', "FwoGZXIv"),
        ("aws_secret_access_key = Xy/12345", "Xy/12345"),
        ("authorization=Bearer abc.def.ghi", "abc.def.ghi"),
        ("role ASIAABCDEFGHIJKLMNOP is not allowed", "ASIAABCDEFGHIJKLMNOP"),
    ],
)
def test_a_secret_is_hidden_by_where_it_stands(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /tree.csv?organisation-entity=122&quality=some",
        "bucket: s3://my-bucket/open/dataset",
        "The key of the row is 12; signature dish.",
        "2026-11-24T13:53:29.264Z INFO request path=/tree.csv client=127.0.0.1",
        "file:///srv/data/tree.parquet and name@example.org",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["a.", "a", "x://", "token=abcd;", "authorization "])
def test_a_long_text_takes_no_longer_than_its_length(piece: str) -> None:
    text = piece * 100_000 + "="
    assert len(redact(text)) <= len(text)


def test_what_follows_a_secret_stays() -> None:
    assert redact(SIGNED).endswith("&X-Amz-Expires=60")
    assert redact(SIGNED).startswith("http://127.0.0.1:9000/bucket/tree.parquet?X-Amz-Algorithm=")


def test_duckdb_shows_no_secret_of_a_statement_it_cannot_read() -> None:
    with duckdb.connect() as database, pytest.raises(duckdb.Error) as raised:
        database.execute(
            "CREATE SECRET s (TYPE s3, KEY_ID 'the-key', SECRET 'it''s secret' SESSION_TOKEN 'tok')"
        )
    shown = redact(str(raised.value))
    assert "it''s secret" in str(raised.value)
    assert not any(secret in shown for secret in ("the-key", "it''s", "'tok'"))


def test_a_known_secret_is_hidden_anywhere_also_percent_encoded() -> None:
    hide("odd/secret+of a test", None, "", "short")
    assert redact("x odd/secret+of a test y") == f"x {HIDDEN} y"
    assert redact("x odd%2Fsecret%2Bof%20a%20test y") == f"x {HIDDEN} y"
    assert redact("short") == "short"


def test_a_longer_secret_is_not_left_in_part_by_a_shorter_one() -> None:
    hide("planted-secret")
    hide("planted-secret-and-more")
    assert redact("planted-secret-and-more") == HIDDEN


def test_variables_named_like_secrets_are_hidden_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "first-of-two, second-of-two")
    monkeypatch.setenv("REDIS_PASSWORD", "planted-password")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "planted-token")
    monkeypatch.setenv("NO_SUCH_THING", "planted-word")
    hide_environment()
    shown = redact("first-of-two|second-of-two|planted-password|planted-token|planted-word")
    assert shown == "|".join([HIDDEN] * 4 + ["planted-word"])
