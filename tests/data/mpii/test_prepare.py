"""``prepare mpii`` and the data module: what is missing is reported once, and a run can start."""

import json
import logging
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from rich.console import Console
from torch.utils.data import DataLoader

from har.data import MPIIDataModule, stored_images
from har.data.augment import Augmentation
from har.data.modules.persons import hold_out
from har.data.mpii import prepare as prepared_module
from har.data.mpii.persons import MPIIError, Split, head_size_px
from har.data.mpii.prepare import open_prepared, prepare_mpii
from har.data.mpii.reader import person_set
from har.errors import DatasetNotFoundError, HarError
from har.geometry import transform_points
from har.layouts import get_layout
from har.prepare import mpii as preparation


@pytest.fixture
def copy(tiny_mpii: Path, tmp_path: Path) -> Path:
    """A data set of its own, not prepared."""
    shutil.copytree(tiny_mpii / "mpii", tmp_path / "mpii")
    shutil.rmtree(tmp_path / "mpii" / "prepared")
    return tmp_path / "mpii"


# ------------------------------------------------------------------------------------- preparing


def test_broken_images_are_listed_together(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = prepare_mpii(copy, workers=0)
    assert whole.checked == whole.images
    images = sorted(path.name for path in (copy / "images").iterdir())
    used = {name.decode() for name in open_prepared(copy.parent).persons["image"]}
    missing, cut, empty = [name for name in images if name in used][:3]
    (copy / "images" / missing).unlink()
    content = (copy / "images" / cut).read_bytes()
    (copy / "images" / cut).write_bytes(content[: len(content) // 2])
    (copy / "images" / empty).write_bytes(b"")
    report = prepare_mpii(copy, workers=0)
    assert report.checked == 3
    assert (report.missing_images, report.unreadable_images) == ([missing], [cut, empty])
    persons = open_prepared(copy.parent).persons
    left = {name.decode() for name in persons["image"]}
    assert left == used - {missing, cut, empty}
    assert sum(report.persons.values()) == len(persons)
    assert report.persons_without_image == sum(whole.persons.values()) - len(persons) > 0
    written = json.loads((copy / "prepared" / "prepare_report.json").read_text())
    assert written["unreadable_images"] == [cut, empty]

    monkeypatch.setattr(preparation, "Console", lambda: Console(width=80))
    preparation.print_report(report, copy / "prepared")
    table = capsys.readouterr().out
    assert max(len(line) for line in table.split("persons.h5")[0].splitlines()) <= 80
    for text in (missing, cut, "images missing", "cannot be read", "official annotations"):
        assert text in table

    # what comes back is used again, and only that is checked
    (copy / "images" / cut).write_bytes(content)
    report = prepare_mpii(copy, workers=0)
    assert (report.checked, report.unreadable_images) == (3, [empty])


def test_a_preparation_that_was_stopped_goes_on(copy: Path) -> None:
    total = prepare_mpii(copy, workers=0).images
    (copy / "prepared" / "persons.h5").unlink()  # killed before the end, in the middle of a line
    journal = copy / "prepared" / "checked_images.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10] + b"\xff\n[1]\n{}\n7\n")
    assert prepare_mpii(copy, workers=0).checked == 1
    assert prepare_mpii(copy, workers=0).images == total


def test_annotations_are_read_again_only_if_they_changed(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare_mpii(copy, workers=0)
    monkeypatch.setattr(
        prepared_module, "read_annotations", lambda files: pytest.fail("read again")
    )
    again = prepare_mpii(copy, workers=0)
    assert (again.checked, again.persons, again.notes) == (0, first.persons, first.notes)
    monkeypatch.undo()
    other = prepare_mpii(copy, annotations="json", workers=0)
    assert other.source == "JSON annotations"
    assert other.persons["neither"] == 0
    assert open_prepared(copy.parent).source == "JSON annotations"


def test_images_are_checked_in_processes(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_images, "_FEW_IMAGES", 0)
    calls = []
    report = prepare_mpii(copy, workers=1, progress=lambda *a, **k: calls.append(a))
    assert report.checked == report.images
    assert calls[-1] == (report.images, report.images)


def test_what_is_missing_is_said(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="not prepared yet: run"):
        MPIIDataModule(str(tmp_path)).setup("fit")
    shutil.move(copy / "images", tmp_path / "elsewhere")
    with pytest.raises(DatasetNotFoundError, match="no folder of images"):
        prepare_mpii(copy, workers=0)
    (copy / "images").mkdir()
    with pytest.raises(DatasetNotFoundError, match=r"none of the .* images can be read"):
        prepare_mpii(copy, workers=0)
    with pytest.raises(DatasetNotFoundError, match=r"human-pose\.mpi-inf\.mpg\.de"):
        MPIIDataModule(str(tmp_path / "nothing")).setup("fit")


def test_a_damaged_persons_file(copy: Path) -> None:
    prepare_mpii(copy, workers=0)
    path = copy / "prepared" / "persons.h5"
    content = path.read_bytes()
    for damaged in (b"", b"nothing", content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(MPIIError, match="remove it and run"):
            open_prepared(copy.parent)
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 99
    with pytest.raises(MPIIError, match="another version"):
        open_prepared(copy.parent)
    prepare_mpii(copy, workers=0)  # a damaged file is replaced, not stumbled over
    open_prepared(copy.parent)


# ---------------------------------------------------------------------------------- data module


def module(data_dir: Path, **options) -> MPIIDataModule:
    options = {"resolution": (48, 48), "val_persons": 8, "num_workers": 0, **options}
    data = MPIIDataModule(str(data_dir), **options)
    data.setup("fit")
    return data


def names(persons: np.ndarray) -> set[bytes]:
    return set(persons["image"].tolist())


def test_who_trains_and_who_is_measured(tiny_mpii: Path) -> None:
    data = module(tiny_mpii)
    train, val, test = (
        data.datasets["pose"].persons.rows,
        data.val_samples.persons.rows,
        data.test_samples.persons.rows,
    )
    assert len(val) >= 8
    assert not names(train) & names(val)
    assert not (names(train) | names(val)) & names(test)
    everybody = open_prepared(tiny_mpii).persons
    assert len(train) + len(val) == (everybody["split"] == Split.TRAIN).sum()
    assert len(test) == data.num_test_samples == (everybody["split"] == Split.VALIDATION).sum()
    again = module(tiny_mpii, seed=5)  # the same ones in every run
    assert again.val_samples.persons.rows.tobytes() == val.tobytes()
    assert len(module(tiny_mpii, limit_eval=3).test_samples) == 3
    assert len(module(tiny_mpii, val_persons=0).val_samples) == 0
    protocol = module(tiny_mpii, views="flip").describe_protocol()
    assert protocol["split"].startswith("MPII validation")
    assert (protocol["views"], protocol["crops_per_person"]) == ("flip", 2)
    assert list(data.labels) == []


def test_batches(tiny_mpii: Path) -> None:
    augmentation = Augmentation(angles_deg=[-40, 40], flip=True, scales=[0.7, 1.3])
    data = module(tiny_mpii, augmentation=augmentation, layout="pa17j", dim=3, views="flip")
    batch = next(iter(DataLoader([data.datasets["pose"]["pose", n, n] for n in range(6)], 6)))
    assert batch["images"].shape == (6, 48, 48, 3)
    assert batch["images"].dtype == torch.uint8
    assert batch["pose"].shape == (6, 17, 4)
    batch = next(iter(DataLoader(data.test_samples, batch_size=4, num_workers=1)))
    assert {key: tuple(value.shape) for key, value in batch.items() if torch.is_tensor(value)} == {
        "images": (4, 2, 48, 48, 3),
        "gamma": (4, 3),
        "pose": (4, 2, 17, 4),
        "affine": (4, 2, 3, 3),
        "flipped": (4, 2),
        "joints_px": (4, 17, 2),
        "valid": (4, 17),
        "inside": (4, 17),
        "length_px": (4,),
        "box_px": (4, 4),
        "area_px2": (4,),
        "number": (4,),
    }
    assert batch["affine"].dtype == batch["joints_px"].dtype == torch.float64
    assert not batch["valid"][:, 16].any()


def test_single_persons_only(tiny_mpii: Path, copy: Path) -> None:
    everybody = module(tiny_mpii, val_persons=0)
    apart = module(tiny_mpii, val_persons=0, single_person_only=True)
    persons = open_prepared(tiny_mpii).persons
    expected = person_set(persons[persons["stands_apart"] == 1], Path()).of_split("train").rows
    found = apart.datasets["pose"].persons.rows
    assert 0 < len(found) < len(everybody.datasets["pose"])
    for name in found.dtype.names:
        np.testing.assert_array_equal(found[name], expected[name])
    assert apart.num_test_samples == everybody.num_test_samples
    prepare_mpii(copy, annotations="json", workers=0)
    with pytest.raises(HarError, match="do not state which persons stand apart"):
        module(copy.parent, single_person_only=True)


def test_persons_without_head_box(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    (copy / "annot" / "gt_valid.mat").unlink()
    report = prepare_mpii(copy, annotations="json", workers=0)
    assert report.without_head_size == report.persons["validation"]
    data = module(copy.parent)
    assert caplog.text.count("6 of 6 test persons have no head box") == 1
    assert np.isnan(data.test_samples[0]["length_px"])
    # curves may use an estimate: they are not reported
    sizes = data.val_samples.persons.rows["length_px"]
    assert (np.isfinite(sizes)).mean() > 0.8
    assert np.isnan(head_size_px(open_prepared(copy.parent).persons)).all()


def test_holding_out(tiny_mpii: Path) -> None:
    persons = open_prepared(tiny_mpii).persons
    kept = hold_out(persons, 10)
    assert 10 <= kept.sum() <= 12
    assert not names(persons[kept]) & names(persons[~kept])
    assert not hold_out(persons, 0).any()
    with pytest.raises(HarError, match="keep fewer out"):
        hold_out(persons, len(persons))
    with pytest.raises(HarError, match="keep fewer out"):
        hold_out(persons, -1)


def test_validation_persons_alone_can_be_measured(copy: Path) -> None:
    (copy / "annot" / "train.json").unlink()
    prepare_mpii(copy, annotations="json", workers=0)
    data = MPIIDataModule(str(copy.parent))
    data.setup("test")
    assert data.num_test_samples == 6
    with pytest.raises(HarError, match="No training person"):
        module(copy.parent)


def test_the_log_names_the_annotations(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    prepare_mpii(copy, workers=0)
    assert "mpii_human_pose_v1_u12_1.mat" in caplog.text


@pytest.mark.slow
def test_validation_does_not_fill_the_memory(tiny_mpii: Path) -> None:
    """2,000 items, one after the other: the process grows by less than one item in a hundred."""
    import resource

    data = module(tiny_mpii, resolution=(256, 256), views="flip", limit_eval=None)
    samples = data.test_samples

    def peak_kib() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for number in range(100):
        item = samples[number % len(samples)]
    before = peak_kib()
    for number in range(2000):
        item = samples[number % len(samples)]
    item_kib = item["images"].numel() / 1024  # 384 KiB
    assert peak_kib() - before < 20 * item_kib


def test_a_folder_prepared_by_version_0_1_0(tmp_path: Path) -> None:
    """It stays readable with the same values, which are computed here from the file itself."""
    folder = Path(__file__).parents[2] / "golden" / "v010" / "mpii_run" / "data"
    with h5py.File(folder / "mpii" / "prepared" / "persons.h5") as file:
        stored = file["persons"][:][file["usable"][:]]
    data = MPIIDataModule(str(folder), val_persons=0, resolution=(64, 64))
    data.setup("test")
    tests = stored[stored["split"] == Split.VALIDATION]
    assert len(tests) == data.num_test_samples == 5
    order = list(get_layout("pa16j").order_from(get_layout("mpii")))
    for number, person in enumerate(tests):
        item = data.test_samples[number]
        assert item["name"] == f"{person['image'].decode()}, person {person['number']}"
        np.testing.assert_array_equal(item["joints_px"].numpy(), person["joints_px"][order])
        low, high = person["head_box_px"].reshape(2, 2)
        assert item["length_px"] == pytest.approx(0.6 * np.linalg.norm(high - low))
        # the crop: 250 px per unit of scale, around 15 px per unit of scale below the center
        (x, y), side = person["centre_px"], 250 * person["scale"]
        corner = np.trunc([x - side / 2, y + 15 * person["scale"] - side / 2])
        np.testing.assert_allclose(
            transform_points(item["affine"].numpy()[0], corner), 0, atol=2 / side
        )
