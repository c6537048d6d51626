"""Remove from installed packages what the service never loads, and say how many bytes are left.

`python scripts/slim.py SITE_PACKAGES`, in the Dockerfile; tests/deployment/test_image.py serves downloads
from what is left. Nothing that stays is changed: it is byte by byte what the locked wheels hold.
"""

import shutil
import sys
from pathlib import Path

# What no module that stays links to or imports.
UNUSED = (
    "**/tests",
    "**/__pycache__",
    "**/*.p[xy][idx]",
    # pyarrow: headers, sources, and two clients of other systems. Storage is read by DuckDB and obstore.
    "pyarrow/include",
    "pyarrow/includes",
    "pyarrow/src",
    "pyarrow/*flight*",
    "pyarrow/libarrow_s3.so*",
    "pyarrow/_s3fs.*.so",
    # The loader looks for libarrow_python.so.2600 alone; the wheel has it under two more names.
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python.so.*.*.*",
    # The slower of two backends.
    "zstandard/_cffi.*",
    "uvloop/**/*.c",
)
# botocore describes every service of AWS; these are for credentials, and for the function to call itself.
BOTOCORE_SERVICES = frozenset({"lambda", "s3", "signin", "sso", "sso-oidc", "sts"})


def slim(packages: Path) -> None:
    """Remove the unused parts below this folder."""
    for pattern in UNUSED:
        for found in list(packages.glob(pattern)):
            _remove(found)
    for found in (packages / "botocore" / "data").iterdir():
        if found.is_dir() and found.name not in BOTOCORE_SERVICES:
            _remove(found)


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Slim one folder and tell the megabytes before and after."""
    packages = Path(sys.argv[1])
    before = size(packages)
    slim(packages)
    print(f"{packages}: {before / 1e6:.0f} MB, {size(packages) / 1e6:.0f} MB needed")


if __name__ == "__main__":
    main()
