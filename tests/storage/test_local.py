"""A real folder as storage."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from application.errors import DatasetChanged, StorageUnavailable
from application.models import ObjectMeta
from application.storage import Storage, open_storage
from tests.storage.conftest import fill, known, paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "dataset")
    return tmp_path / "dataset"


@pytest.fixture
def storage(folder: Path) -> Storage:
    return open_storage(str(folder.parent), "dataset")


def test_a_listing_is_in_the_order_of_bytes(storage: Storage) -> None:
    everything = [
        "b.parquet", "parts/1.parquet", "parts/2 b+c%20.parquet", "parts/Z.parquet", "partsX/z.parquet",
    ]  # fmt: skip
    assert paths(storage) == everything
    assert paths(storage, "parts/") == everything[1:4]
    assert paths(storage, "parts") == everything[1:]
    assert paths(storage, "parts/1") == ["parts/1.parquet"]
    for absent in ("nothing/", "b.parquet/", "../", "/", "parts/../"):
        assert paths(storage, absent) == []


def test_listed_and_asked_for_are_the_same(storage: Storage, folder: Path) -> None:
    for meta in storage.list():
        assert storage.head(meta.path) == meta
    meta, status = known(storage, "b.parquet"), (folder / "b.parquet").stat()
    assert meta.size == status.st_size
    assert meta.version == f"{status.st_mtime_ns:x}"
    assert meta.last_modified == datetime.fromtimestamp(status.st_mtime, UTC)


def test_what_is_no_file_within_the_folder_is_absent(storage: Storage) -> None:
    outside = ("../b.parquet", "parts/../b.parquet", "/etc/passwd")
    odd = ("", ".", "b.parquet/", "b.parquet/x", "a\0b", "x" * 500, "\udc80")
    for path in ("x", "parts", *outside, *odd):
        assert storage.head(path) is None, path


def test_an_absolute_path_into_the_folder_is_absent(storage: Storage, folder: Path) -> None:
    assert storage.head(str(folder / "b.parquet")) is None


def test_hidden_files_do_not_exist(storage: Storage, folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.parquet").touch()
    (folder / ".x.parquet").touch()
    assert not [path for path in paths(storage) if "." in (path[0], path.partition("/")[2][:1])]
    assert storage.head(".x.parquet") is None
    assert storage.head(".hidden/x.parquet") is None
    assert paths(storage, ".hidden/") == []


def test_a_link_that_leaves_the_folder_does_not_exist(storage: Storage, folder: Path) -> None:
    outside = folder.parent / "dataset-secret"
    outside.mkdir()
    (outside / "x.parquet").touch()
    (folder / "file.parquet").symlink_to(outside / "x.parquet")
    (folder / "away").symlink_to(outside)
    assert storage.head("file.parquet") is None
    assert storage.head("away/x.parquet") is None
    assert paths(storage, "away/") == []
    assert paths(storage, "file") == []
    with pytest.raises(DatasetChanged):
        storage.read(ObjectMeta("file.parquet", 1, datetime.now(UTC), "", ""), 0, 1)


def test_a_link_within_the_folder_is_followed_but_not_in_circles(storage: Storage, folder: Path) -> None:
    (folder / "latest").symlink_to("parts")
    (folder / "parts" / "up").symlink_to("..")
    (folder / "broken").symlink_to("nowhere")
    (folder / "self").symlink_to("self")
    assert paths(storage, "latest/") == [path.replace("parts", "latest") for path in paths(storage, "parts/")]
    assert paths(storage, "broken") == paths(storage, "self") == []
    assert storage.head("self") is None
    assert storage.head("latest/1.parquet") is not None


def test_pipes_and_undecodable_names_are_passed_over(storage: Storage, folder: Path) -> None:
    os.mkfifo(folder / "pipe.parquet")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.parquet")).touch()
    (folder / "new\nline.parquet").touch()
    assert len(paths(storage)) == 5
    assert storage.head("pipe.parquet") is None


def test_ranges_and_chunks_give_the_files_bytes(storage: Storage, folder: Path) -> None:
    content = os.urandom((5 << 19) + 7)
    (folder / "big.parquet").write_bytes(content)
    meta = known(storage, "big.parquet")
    assert storage.read(meta, 5, 17) == content[5:17]
    assert storage.read(meta, 9, 9) == b""
    pieces = list(storage.chunks(meta, 3, meta.size))
    assert b"".join(pieces) == content[3:]
    assert max(map(len, pieces)) == 1 << 20
    for start, end in ((-1, 3), (4, 3), (0, meta.size + 1)):
        with pytest.raises(ValueError, match="not within"):
            storage.read(meta, start, end)


def test_a_file_that_was_replaced_is_noticed(storage: Storage, folder: Path) -> None:
    """Replaced by another file of the same size and time, as rsync does."""
    meta, path = known(storage, "b.parquet"), folder / "b.parquet"
    other = folder / "other"
    other.write_bytes(path.read_bytes().upper())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    with pytest.raises(DatasetChanged):
        storage.read(meta, 0, 3)


def test_a_file_written_in_place_is_noticed(storage: Storage, folder: Path) -> None:
    meta = known(storage, "b.parquet")
    with (folder / "b.parquet").open("r+b") as file:
        file.write(b"THE")
    os.utime(folder / "b.parquet", ns=(0, int(meta.last_modified.timestamp() * 1e9)))
    with pytest.raises(DatasetChanged):
        storage.read(meta, 0, 3)


@pytest.mark.parametrize("change", ["replace", "truncate", "delete"])
def test_a_change_between_chunks_is_noticed(storage: Storage, folder: Path, change: str) -> None:
    path = folder / "big.parquet"
    path.write_bytes(bytes(3 << 20))
    meta = known(storage, "big.parquet")
    pieces = storage.chunks(meta, 0, meta.size)
    next(pieces)
    if change == "replace":
        (folder / "b.parquet").replace(path)
    elif change == "truncate":
        os.truncate(path, 1 << 20)
    else:
        path.unlink()
    with pytest.raises(DatasetChanged):
        list(pieces)


def test_a_deleted_file_has_changed(storage: Storage, folder: Path) -> None:
    meta = known(storage, "b.parquet")
    (folder / "b.parquet").unlink()
    with pytest.raises(DatasetChanged):
        storage.read(meta, 0, 3)


def test_a_missing_folder_is_unavailable_and_its_path_not_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "none", tmp_path / "file"):
        storage = open_storage(str(root), "")
        asking: tuple[Callable[[], object], ...] = (partial(storage.head, "x"), storage.list)
        for ask in asking:
            with pytest.raises(StorageUnavailable) as caught:
                ask()
            assert str(tmp_path) not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_unavailable(storage: Storage, folder: Path) -> None:
    folder.chmod(0)
    try:
        with pytest.raises(StorageUnavailable):
            storage.list()
        with pytest.raises(StorageUnavailable):
            storage.head("b.parquet")
    finally:
        folder.chmod(0o700)


def test_a_release_can_be_swapped_by_its_link(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.parquet").write_text(name)
    (tmp_path / "current").symlink_to("one")
    storage = open_storage(str(tmp_path / "current"), "")
    old = known(storage, "x.parquet")
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "current")
    assert storage.read(known(storage, "x.parquet"), 0, 3) == b"two"
    with pytest.raises(DatasetChanged):
        storage.read(old, 0, 3)


def test_a_link_to_a_folder_that_it_is_in_is_no_level_below(storage: Storage, folder: Path) -> None:
    (folder / "parts" / "self").symlink_to(folder / "parts")
    (folder / "parts" / "root").symlink_to(folder)
    (folder / "parts" / "other").symlink_to(folder / "partsX")
    (folder / "partsX" / "back").symlink_to(folder / "parts")
    assert storage.level("parts/").folders == ("parts/other/",)
    assert storage.level("parts/other/").folders == ()


def test_a_level_is_what_lies_directly_in_a_folder(storage: Storage, folder: Path, tmp_path: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "out").symlink_to(tmp_path)
    top = storage.level()
    assert ([meta.path for meta in top.objects], top.folders) == (["b.parquet"], ("parts/", "partsX/"))
    within = storage.level("parts/")
    assert [meta.path for meta in within.objects] == paths(storage, "parts/")
    assert (within.folders, storage.level("nothing/").objects, storage.level("../").folders) == ((), (), ())
    assert [storage.head(meta.path) for meta in within.objects] == list(within.objects)
