"""``prepare check``: what it says of folders that are whole, half ready, damaged, or empty."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from omegaconf import OmegaConf

from har.data.framestore.folder import open_prepared
from har.data.framestore.predicted_boxes import write_predicted_boxes
from har.data.framestore.verify import check_shards, undecodable
from har.data.lsp.prepare import prepare_lsp
from har.data.mpii.prepare import prepare_mpii
from har.data.ntu.prepare import prepare_ntu
from har.data.own.prepare import prepare_own
from har.errors import HarError
from har.prepare.check import check_data
from har.synthetic.mpii_files import write_mpii
from tests.helpers.ntu_files import write_sample

NAMES = [f"S00{s}C001P00{p}R001A0{a:02d}" for s in (1, 2) for p in (1, 3) for a in (1, 43)]


def check(data_dir: Path, capsys: pytest.CaptureFixture[str], full: bool = False) -> str:
    """What is printed, on one line, with single spaces."""
    settings = {"paths": {"data_dir": str(data_dir)}, "check": {"full": full}, "workers": 0}
    try:
        check_data(OmegaConf.create(settings))
    finally:
        printed = capsys.readouterr().out
        assert max(map(len, printed.splitlines()), default=0) <= 400
        table = [line for line in printed.splitlines() if line[:1] in "┃│"]
        assert all(len(line) <= 80 for line in table)
        check.said = " ".join(printed.replace("│", " ").split())
    return check.said


@pytest.fixture
def ntu(tmp_path: Path) -> Path:
    """Eight samples in two setups, prepared."""
    for name in NAMES:
        write_sample(tmp_path / "ntu", name)
    prepare(tmp_path)
    return tmp_path


def prepare(data_dir: Path, **options) -> None:
    root = data_dir / "ntu"
    prepare_ntu(root, root, root / "prepared", **{"workers": 0, **options})


def shard(data_dir: Path) -> Path:
    return data_dir / "ntu" / "prepared" / "frames" / "S002.h5"


def test_a_synthetic_set_that_is_ready(tiny_ntu: Path, capsys) -> None:
    said = check(tiny_ntu, capsys, full=True)
    assert "NTU RGB+D (synthetic)" in said
    assert "ok videos 10 ok skeletons 10 ok prepared samples 10" in said
    assert "X-Sub (xsub60) 6 / 4 official 40,091 / 16,487" in said
    assert "with the missing skeletons 40,320 / 16,560" in said
    assert "last frames decoded 10" in said
    assert f"har.train experiment=demo paths.data_dir={tiny_ntu}" in said


def test_what_is_not_prepared_yet(tmp_path: Path, capsys) -> None:
    for name in NAMES:
        write_sample(tmp_path / "ntu", name)
    following = f"Next: python -m har.prepare ntu paths.data_dir={tmp_path}"
    said = check(tmp_path, capsys)
    assert "- prepared samples 0" in said
    assert said.endswith(following)
    (tmp_path / "ntu" / "nturgb+d_rgb" / f"{NAMES[0]}_rgb.avi").write_bytes(b"")
    prepare(tmp_path, setups=[1])
    said = check(tmp_path, capsys)
    assert "ok prepared samples 3" in said
    assert "- left out 1" in said
    assert f"- not prepared yet 4 {NAMES[4]}" in said
    assert said.endswith(following)
    prepare(tmp_path)
    said = check(tmp_path, capsys)
    assert "not prepared yet" not in said
    assert "Next: python -m har.train experiment=ntu_multitask" in said


@pytest.mark.parametrize("damage", ["cut", "junk", "gone", "arrays"])
def test_damaged_shards_are_named(ntu: Path, capsys, damage: str) -> None:
    path = shard(ntu)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "junk":
        path.write_bytes(b"no shard" * 1000)
    elif damage == "gone":
        path.unlink()
    else:
        with h5py.File(path, "a") as file:
            offsets = file["offsets"][:]
            del file["offsets"]
            file["offsets"] = offsets[:-1]
    with pytest.raises(
        HarError, match=r"no frames" if damage == "gone" else r"S002\.h5 is damaged"
    ):
        check(ntu, capsys)
    assert "!! without frames damaged 4 samples" in check.said
    assert ("!! shard damaged S002.h5" in check.said) == (damage != "gone")
    # and what it says to do helps
    path.unlink(missing_ok=True)
    prepare(ntu)
    assert "!!" not in check(ntu, capsys, full=True)


def test_frames_that_cannot_be_decoded_are_found_by_the_full_check(ntu: Path, capsys) -> None:
    with h5py.File(shard(ntu), "a") as file:
        end = int(file["offsets"][file["first_frame"][2]])  # where the second sample's frames end
        file["jpeg"][end - 20 : end] = 0
    assert "!!" not in check(ntu, capsys)
    with pytest.raises(HarError, match=rf"last frames of 1 samples .*{NAMES[5]}.*remove S002\.h5"):
        check(ntu, capsys, full=True)
    assert list(undecodable(*open_prepared(ntu), workers=1)) == [NAMES[5]]


def test_an_index_that_lags_behind_or_is_damaged(ntu: Path, capsys) -> None:
    index = ntu / "ntu" / "prepared" / "index.h5"
    with h5py.File(shard(ntu).with_name("S003.h5"), "w") as file:
        with h5py.File(shard(ntu)) as source:
            for key in source:
                file[key] = source[key][:]
        file["name"][:] = np.char.replace(file["name"][:], b"S002", b"S003")
    said = check(ntu, capsys)
    assert "- not in the index 4" in said
    assert "Next: python -m har.prepare ntu" in said
    index.write_bytes(index.read_bytes()[:1000])
    with pytest.raises(HarError, match=r"index\.h5"):
        check(ntu, capsys)


def test_a_waiting_sample_and_predicted_boxes(ntu: Path, capsys) -> None:
    output = ntu / "ntu" / "prepared"
    index, _ = open_prepared(ntu)
    names = [name.decode() for name in index.names.tolist()]
    boxes = [np.zeros((count, 4), np.float32) for count in index.num_frames.tolist()]
    weights = {"weights_sha256": "00", "weights": "some.ckpt"}
    write_predicted_boxes(output / "boxes.h5", names[:5], boxes[:5], weights)
    (output / "staging" / NAMES[0][:4]).mkdir()
    shutil.copy(shard(ntu), output / "staging" / NAMES[0][:4] / f"{NAMES[0]}.h5")
    said = check(ntu, capsys)
    assert "- predicted boxes 5 by some.ckpt" in said
    assert "- waiting samples 1" in said
    (output / "boxes.h5").write_bytes(b"junk")
    with pytest.raises(HarError, match=r"boxes\.h5"):
        check(ntu, capsys)


def test_an_extraction_of_the_original_program(tmp_path: Path, capsys) -> None:
    root = tmp_path / "ntu"
    for name in NAMES:
        write_sample(root, name)
        for number in range(1, 10):
            path = root / "images-small" / name / f"{number:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((24, 32, 3), 99, np.uint8))
    shutil.rmtree(root / "nturgb+d_rgb")
    prepare(tmp_path)
    said = check(tmp_path, capsys, full=True)
    assert "ok extracted by deephar 8 images-small" in said
    assert "ok prepared samples 8 40 frames, deephar's JPEG folders" in said
    shutil.rmtree(root / "images-small" / NAMES[2])
    with pytest.raises(HarError, match=f"1 samples of the index have no frames .{NAMES[2]}"):
        check(tmp_path, capsys)


def test_own_actions(tmp_path: Path, capsys) -> None:
    for name in ("clip 1", "clip 2"):
        write_sample(tmp_path / "elsewhere", NAMES[0])
        path = tmp_path / "own" / "hand waving" / f"{name}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(tmp_path.glob("elsewhere/nturgb+d_rgb/*.avi")), path)
    root = tmp_path / "own"
    said = check(root, capsys)
    assert "own actions ok classes 1 hand waving ok clips 2 0 with skeletons" in said
    assert said.endswith(f"Next: python -m har.prepare actions paths.data_dir={root}")
    prepare_own(root, root / "prepared", workers=0)
    said = check(root, capsys, full=True)
    assert "train / val / test 1 / 0 / 1" in said
    assert f"Next: python -m har.train experiment=own_actions paths.data_dir={root}" in said
    path.rename(path.with_name("clip 3.avi"))
    said = check(root, capsys)
    assert "- new or changed 1 hand waving/clip 3.avi" in said
    (root / "prepared" / "actions.json").write_text("{}")
    with pytest.raises(HarError, match=r"actions\.json is damaged"):
        check(root, capsys)


def test_mpii_beside_ntu(ntu: Path, capsys) -> None:
    root = ntu / "mpii"
    write_mpii(root, 6)
    said = check(ntu, capsys)
    assert "NTU RGB+D ok videos 8" in said
    assert "MPII Human Pose ok annotations official ok images 6 - prepared persons 0" in said
    assert said.endswith(f"Next: python -m har.prepare mpii paths.data_dir={ntu}")
    report = prepare_mpii(root, workers=0)
    split = f"ok train / validation {report.persons['train']} / {report.persons['validation']}"
    assert split in check(ntu, capsys)
    (root / "prepared" / "persons.h5").write_bytes(b"junk")
    with pytest.raises(HarError, match=r"persons\.h5 is damaged"):
        check(ntu, capsys)


def test_nothing_at_all_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "har.prepare", "check", f"paths.data_dir={tmp_path / 'no data'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("har: There is no data in")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_report_that_is_damaged_does_not_matter(ntu: Path, capsys) -> None:
    (ntu / "ntu" / "prepared" / "prepare_report.json").write_text(json.dumps([1]))
    assert "prepared samples 8" in check(ntu, capsys)


def test_counts_of_shards(ntu: Path) -> None:
    index, _ = open_prepared(ntu)
    whole = check_shards(index)
    assert (whole.num_shards, whole.damaged, whole.unlisted, whole.lost) == (2, {}, 0, [])
    assert whole.num_bytes == sum(path.stat().st_size for path in shard(ntu).parent.iterdir())


def test_photographs_of_persons(tmp_path: Path, capsys) -> None:
    """LSP before and after its preparation, and damaged; own pictures beside it."""
    cases = Path(__file__).parents[1] / "data"
    shutil.copytree(cases / "lsp" / "case_09" / "lsp_dataset", tmp_path / "lsp_dataset")
    said = check(tmp_path, capsys)
    assert "8 / 0" in said
    assert said.endswith(f"Next: python -m har.prepare lsp paths.data_dir={tmp_path}")
    prepare_lsp(tmp_path, workers=0)
    (tmp_path / "own_poses").mkdir()
    (tmp_path / "own_poses" / "persons.h5").write_text("damaged")
    with pytest.raises(HarError, match=r"persons\.h5"):
        check(tmp_path, capsys)
    shutil.rmtree(tmp_path / "own_poses")
    said = check(tmp_path, capsys)
    assert "8 / 0 / 0" in said
    assert f"experiment=lsp_pose_small paths.data_dir={tmp_path}" in said
    (tmp_path / "lsp_dataset" / "joints.mat").write_text("damaged")
    with pytest.raises(HarError, match=r"joints\.mat"):
        check(tmp_path, capsys)
