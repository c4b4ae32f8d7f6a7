"""Files that are written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from har.errors import HarError
from har.files import file_checksum, whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "ä b.json"
    with whole_file(path) as partial:
        partial.write_text("1")
        assert not path.exists()
        assert partial.suffix == ".json"  # OpenCV chooses the format by it
    assert path.read_text() == "1"

    def fail() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "1"
    assert names(path.parent) == ["ä b.json"]


@pytest.mark.skipif(os.name == "nt", reason="no umask")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_has_the_permissions_of_the_user_s_new_files(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with whole_file(tmp_path / "a") as partial:
            partial.write_bytes(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_two_writers_of_one_path_do_not_disturb_each_other(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as first:
        first.write_text("first")
        with whole_file(tmp_path / "a") as second:
            second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"  # it ended last
    assert names(tmp_path) == ["a"]


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(HarError, match=r"a\.json cannot be written"),
        whole_file(tmp_path / "file" / "a.json"),
    ):
        pass


def test_a_checksum_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert file_checksum(tmp_path / "a") == wanted
