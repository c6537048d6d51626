"""What a file says about itself, as key-values: its dataset's words, its query, its source."""

from application.about import WORDS, About

NOTHING = About()
KEYS = (*WORDS, "query", "source", "crs")


def key_values(about: About) -> dict[bytes, bytes]:
    """What is known of these, as Parquet and Arrow have key-values."""
    return {key.encode(): value.encode() for key in KEYS if (value := getattr(about, key))}
