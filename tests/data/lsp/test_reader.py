"""LSP's two files, which mean opposite things by the same flag, give the same persons."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from omegaconf import OmegaConf

from har.data.lsp.files import LSPError
from har.data.lsp.matlab import read_joints
from har.data.lsp.prepare import prepare_lsp
from har.data.lsp.reader import open_prepared, read_files, split_of
from har.data.modules.persons import PersonDataModule
from har.errors import DatasetNotFoundError, HarError
from har.files import read_stored_image
from har.layouts import get_layout
from har.prepare import lsp as command
from tests.helpers.golden import real_path

CASE = Path(__file__).parent / "case_09"
EXPECTED = json.loads((CASE / "expected.json").read_text())
LSP = get_layout("lsp14")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """LSP and LSP extended of the case, side by side."""
    for name in ("lsp_dataset", "lspet_dataset"):
        shutil.copytree(CASE / name, tmp_path / name)
    return tmp_path


def test_joints_of_both_sets() -> None:
    lsp = read_joints(CASE / "lsp_dataset" / "joints.mat")
    lspet = read_joints(CASE / "lspet_dataset" / "joints.mat")
    assert [joint.replace(" ", "_") for joint in LSP.joints[:-1]] == EXPECTED["joint_names"][:-1]
    for joints in (lsp, lspet):
        assert len(joints.joints_px) == EXPECTED["persons"]
    assert (lsp.visible == 1).sum(1).tolist() == EXPECTED["seen_per_person_in_both"]
    hidden = [np.flatnonzero(row == 0).tolist() for row in lsp.visible]
    assert hidden == EXPECTED["hidden_joints"]
    labeled = np.isfinite(lspet.joints_px).all(-1)
    assert labeled.sum(1).tolist() == EXPECTED["seen_per_person_in_both"]
    assert np.isfinite(lsp.joints_px).all(-1).sum() == EXPECTED["lsp_joints_that_teach"]
    assert labeled.sum() == EXPECTED["lspet_joints_that_teach"]
    np.testing.assert_allclose(lsp.joints_px[0], EXPECTED["first_person_zero_based"])
    np.testing.assert_allclose(lspet.joints_px[labeled], lsp.joints_px[labeled])


def test_colors_under_the_joints_are_theirs() -> None:
    found = read_files(CASE / "lsp_dataset").persons
    for row in found.rows[[0, 4]]:  # all joints are seen
        image = read_stored_image(found.images_dir / row["image"].decode()).astype(int)
        for name, (x, y) in zip(
            EXPECTED["joint_names"], row["joints_px"].round().astype(int), strict=True
        ):
            difference = np.abs(image[y, x] - EXPECTED["colours"][name])
            assert difference.max() <= EXPECTED["colour_tolerance"], name


def test_nonsense_places_widen_no_box() -> None:
    lsp, lspet = (read_files(CASE / name).persons.rows for name in ("lsp_dataset", "lspet_dataset"))
    complete = [0, 4]  # the same persons with all joints
    np.testing.assert_allclose(lsp["window_px"][complete], lspet["window_px"][complete])
    assert (lspet["window_px"] <= lsp["window_px"] + 1e-9).all()


def test_both_sets_train_and_the_rest_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.prepare_lsp(OmegaConf.create({"paths": {"data_dir": str(folder)}, "workers": 0}))
    out = capsys.readouterr().out
    assert "8 photographs, not 2000" in " ".join(out.split())
    persons = open_prepared(folder)
    assert len(persons.of_split("train")) == 16
    assert len(persons.of_split("test")) == 0
    assert len(open_prepared(folder, extended=False)) == 8
    data = PersonDataModule(str(folder), open_prepared, resolution=(64, 64), boxes="image")
    data.setup("fit")
    item = data.datasets["pose"][("pose", 3, 0)]
    assert item["pose"].shape == (14, 3)


def test_some_are_seen_more_often_and_none_of_those_kept_out(folder: Path) -> None:
    prepare_lsp(folder, workers=0)
    options = {"resolution": (64, 64), "val_persons": 2, "val_prefix": "lsp/"}
    plain = PersonDataModule(str(folder), open_prepared, **options)
    often = PersonDataModule(str(folder), open_prepared, **options, repeat={"lspet/": 3})
    for data in (plain, often):
        data.setup("fit")
    before, after = (Counter(data.datasets["pose"].persons.rows["id"]) for data in (plain, often))
    assert set(before) == set(after)
    for name, times in after.items():
        assert times == (3 if name.startswith(b"lspet/") else 1)
    kept_out = often.val_samples.persons.rows["id"]
    assert len(kept_out) == 2
    assert not set(kept_out) & set(after)


def test_bad_photographs_are_named_and_left_out(folder: Path) -> None:
    images = folder / "lsp_dataset" / "images"
    (images / "im0002.jpg").write_bytes(b"<html>")
    (images / "im0003.jpg").unlink()
    report, persons = prepare_lsp(folder, workers=0)
    assert report.unreadable_images == ["lsp_dataset/images/im0002.jpg"]
    assert report.notes["left out: no such image"] == ["lsp 3"]
    assert len(persons) == 14
    assert json.loads((folder / "prepared_lsp" / "prepare_report.json").read_text())["sets"] == {
        "lsp": 8,
        "lspet": 8,
    }


def test_one_picture() -> None:
    assert len(read_files(CASE / "one_picture").persons) == 1


@pytest.mark.parametrize("name", ["axes_n_14_3", "thirteen_joints"])
def test_wrong_shapes(name: str, tmp_path: Path) -> None:
    path = CASE / "wrong" / f"{name}.mat"
    shape = str(scipy.io.loadmat(path)["joints"].shape)
    with pytest.raises(LSPError, match=r"joints of shape") as error:
        read_joints(path)
    assert shape in str(error.value)


def test_joints_and_pictures_that_do_not_belong_together(folder: Path) -> None:
    shutil.copy(CASE / "wrong" / "nine_for_eight.mat", folder / "lsp_dataset" / "joints.mat")
    with pytest.raises(LSPError, match=r"9 persons .* up to number 8"):
        read_files(folder)


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"x" * 3000])
def test_damaged_files(content: bytes, folder: Path) -> None:
    (folder / "lsp_dataset" / "joints.mat").write_bytes(content)
    with pytest.raises(LSPError, match=r"not a MATLAB 5 file"):
        read_files(folder)


def test_what_is_missing_is_said(folder: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"not prepared yet: run"):
        open_prepared(folder)
    with pytest.raises(DatasetNotFoundError, match=r"no joints.mat"):
        open_prepared(folder / "lsp_dataset" / "images")
    shutil.copytree(folder / "lsp_dataset", folder / "lsp_copy")
    with pytest.raises(LSPError, match=r"two joints.mat of LSP"):
        read_files(folder)
    prepared = folder / "prepared_lsp" / "persons.h5"
    shutil.rmtree(folder / "lsp_copy")
    prepare_lsp(folder, workers=0)
    prepared.write_bytes(b"damaged")
    with pytest.raises(HarError, match=r"persons.h5 is missing, damaged"):
        open_prepared(folder)


def test_split() -> None:
    numbers = range(1, 2001)
    splits = [split_of(number, 2000, extended=False) for number in numbers]
    assert (splits.count("train"), splits.count("test")) == (998, 1000)
    assert [number for number, split in zip(numbers, splits, strict=True) if not split] == [
        492,
        550,
    ]
    assert split_of(1500, 10000, extended=True) == "train"


def test_counts_of_the_official_files(tmp_path: Path) -> None:
    for name in ("lsp", "lspet"):
        (tmp_path / name).mkdir()
        for part in ("joints.mat", "images"):
            (tmp_path / name / part).symlink_to(real_path(f"{name}/{part}"))
    rows = read_files(tmp_path).persons.rows
    splits = rows["split"].tolist()
    assert (splits.count(b"train"), splits.count(b"test"), splits.count(b"")) == (10998, 1000, 2)
    lspet = rows[np.char.startswith(rows["id"], b"lspet/")]
    labeled = np.isfinite(lspet["joints_px"]).all(-1)
    assert (labeled.all(1)).sum() == 3945
    assert labeled.sum(1).min() == 4
    assert round(100 * labeled.mean()) == 88
    lsp = rows[np.char.startswith(rows["id"], b"lsp/")]
    hidden = (lsp["visible"] == 0).mean(0)
    assert hidden.min() < 0.005
    assert round(hidden.max(), 2) == 0.16
    assert np.isfinite(lsp["joints_px"]).all()
    assert (lsp["length_px"] > 0).all()
