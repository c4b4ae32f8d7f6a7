"""Annotation files that are damaged: one kind of error, no crash, no gigabytes."""

import contextlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from har.data.mpii.deephar import read_deephar
from har.data.mpii.json_files import read_json
from har.data.mpii.official import read_official
from har.data.mpii.persons import MPIIError
from har.synthetic.mpii_files import (
    write_deephar,
    write_json,
    write_official,
)
from har.synthetic.mpii_labels import simulate_image
from tests.helpers.mpii_annotations import (
    cell,
)


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Each kind of file, small; the MATLAB files also unpacked, where damage reaches further."""
    folder = tmp_path_factory.mktemp("small")
    images = [simulate_image(1)[1], simulate_image(7, validation=(1,))[1]]
    write_official(folder / "official.mat", images)
    write_deephar(folder / "deephar.mat", images)
    write_json(folder, images)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("official.mat", "deephar.mat", "gt_valid.mat"):
        arrays = scipy.io.loadmat(folder / name, struct_as_record=True)
        arrays = {key: value for key, value in arrays.items() if key[0] != "_"}
        scipy.io.savemat(folder / name, arrays, do_compression=False)
        files[f"plain_{name}"] = (folder / name).read_bytes()
    return files


FILES = ["official.mat", "deephar.mat", "train.json", "gt_valid.mat"]
FILES += [f"plain_{name}" for name in FILES if name.endswith(".mat")]


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=2000, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_files_are_said_to_be(
    small_files: dict[str, bytes], tmp_path: Path, name: str, data: st.DataObject
) -> None:
    content = bytearray(small_files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.sampled_from([1, 1, 4]))
        content[place : place + length] = data.draw(st.binary(min_size=length, max_size=length))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path / "damaged"
    path.write_bytes(content)
    (tmp_path / "valid.json").write_bytes(small_files["valid.json"])
    with contextlib.suppress(MPIIError):  # which is all that may be raised, and within two seconds
        if "official" in name:
            read_official(path)
        elif "deephar" in name:
            read_deephar(path)
        elif "gt_valid" in name:
            read_json(None, tmp_path / "valid.json", path)
        else:
            read_json(path, None)


def test_sizes_that_a_file_only_states_reserve_nothing(
    small_files: dict[str, bytes], tmp_path: Path
) -> None:
    """Dimensions of an array, raised to two thousand million, at every place where they stand."""
    content = small_files["plain_official.mat"]
    path, places = tmp_path / "a.mat", 0
    at = content.find(b"\x05\x00\x00\x00\x08\x00\x00\x00")
    while at >= 0 and places < 150:
        damaged = bytearray(content)
        if damaged[at + 8] == 0:  # an empty array, whatever the other dimension
            at = content.find(content[at : at + 8], at + 1)
            continue
        damaged[at + 12 : at + 16] = b"\x00\x00\x00\x7f"
        path.write_bytes(damaged)
        with pytest.raises(MPIIError, match="damaged"):
            read_official(path)
        places += 1
        at = content.find(content[at : at + 8], at + 1)
    assert places > 50


def test_types_that_do_not_exist_do_not_kill_the_process(
    small_files: dict[str, bytes], tmp_path: Path
) -> None:
    """An element of an unknown type, even an empty one, would be a segmentation fault in scipy."""
    content, path = small_files["plain_official.mat"], tmp_path / "a.mat"
    for at in range(0, 1200, 8):
        damaged = bytearray(content)
        damaged[at + 1] ^= 1
        path.write_bytes(damaged)
        with contextlib.suppress(MPIIError):
            read_official(path)
    path.write_bytes(b"\0" + content[1:])  # said to be MATLAB 4
    with pytest.raises(MPIIError, match="MATLAB 5"):
        read_official(path)


def test_nested_cells_do_not_exhaust_the_stack(tmp_path: Path) -> None:
    nested = np.zeros((1, 1))
    for _ in range(60):
        nested = cell([nested], (1, 1))
    scipy.io.savemat(tmp_path / "a.mat", {"RELEASE": nested})
    with pytest.raises(MPIIError, match="damaged"):
        read_official(tmp_path / "a.mat")


def test_another_matlab_version_is_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["RELEASE"] = 1
    with pytest.raises(MPIIError, match=r"MATLAB 7\.3"):
        read_official(tmp_path / "a.mat")
