"""The files of the pages: each under a name that has its digest, so that caches keep it for good."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

# What a page may load, by the ending of its name.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
PREFIX = "/assets/pages/"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: the name it is had under, its bytes and its media type."""

    name: str
    body: bytes
    media_type: str


def load_assets(folders: Iterable[Path]) -> Mapping[str, Asset]:
    """The files of these folders by their own names; a later folder goes before an earlier one."""
    found: dict[str, Asset] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix in MEDIA_TYPES and path.is_file():
                body = path.read_bytes()
                name = f"{path.stem}.{sha256(body).hexdigest()[:16]}{path.suffix}"
                found[path.name] = Asset(name, body, MEDIA_TYPES[path.suffix])
    return found
