"""A run goes on exactly, or is refused in a sentence; classes are matched by name."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch.optim import SGD

from har.data import NTUDataModule, OwnActionsDataModule
from har.data.ntu.reader import NTUReader
from har.errors import HarError
from har.modules import Phase
from har.runs.building import check_training_classes, refuse_own_weights
from har.runs.config import escape_references
from har.weights import load_weights, read_run, save_weights, spec_of
from tests.helpers.networks import spnet
from tests.helpers.own_clips import prepare, write_clip
from tests.helpers.tiny import fit, make_module

OPTIMIZER = partial(SGD, lr=0.01)


def test_other_samples_and_other_phases_are_refused_and_later_ones_may_change(
    tiny_ntu: Path, tmp_path: Path
) -> None:
    fit(tiny_ntu, tmp_path, max_steps=7)  # six of pose, one of frozen
    last = tmp_path / "last.ckpt"
    with pytest.raises(HarError, match="other training samples"):
        fit(tiny_ntu, tmp_path / "a", ckpt_path=last, data={"val_subjects": [2]})
    with pytest.raises(HarError, match="other training samples"):  # as many, in other classes
        fit(tiny_ntu, tmp_path / "b", ckpt_path=last, data={"actions": [43, 22]})
    for pose in (Phase(1, OPTIMIZER, steps_per_epoch=3), Phase(2, OPTIMIZER, steps_per_epoch=4)):
        with pytest.raises(HarError, match=r"module\.phases plans it otherwise"):
            fit(tiny_ntu, tmp_path / "c", module=make_module(pose=pose), ckpt_path=last)
    longer = make_module(joint=Phase(3, OPTIMIZER, steps_per_epoch=1))
    _, steps = fit(tiny_ntu, tmp_path / "d", module=longer, ckpt_path=last)
    assert [step for step, *_ in steps] == list(range(8, 6 + 4 + 6 + 1))


def test_files_that_are_no_checkpoints_are_one_sentence(tiny_ntu: Path, tmp_path: Path) -> None:
    fit(tiny_ntu, tmp_path, max_steps=1)
    whole = (tmp_path / "last.ckpt").read_bytes()
    for name, content in (
        ("text.ckpt", b"no checkpoint\n"),
        ("empty.ckpt", b""),
        ("cut.ckpt", whole[: len(whole) // 2]),
        ("end.ckpt", whole[:-10]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(HarError, match=f"{name} cannot be read"):
            read_run(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(HarError, match=r"list\.ckpt cannot be read"):
        read_run(tmp_path / "list.ckpt")
    for missing in (tmp_path / "nothing.ckpt", tmp_path):
        with pytest.raises(HarError, match="There is no checkpoint"):
            read_run(missing)


def test_a_full_disk_is_a_sentence_and_the_checkpoint_before_it_is_kept(
    tiny_ntu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def replace(source: str, target: str) -> None:
        if str(target).endswith("last.ckpt"):
            if written:
                raise OSError(errno.ENOSPC, "No space left on device")
            written.append(target)
        os.rename(source, target)

    monkeypatch.setattr("har.callbacks.checkpoint.os.replace", replace)
    with pytest.raises(HarError, match=r"last\.ckpt cannot be written \(No space left on device\)"):
        fit(tiny_ntu, tmp_path, max_steps=4)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 1


# ----------------------------------------------------------------------------------------- classes


def test_layers_of_other_classes_are_learned_anew(tmp_path: Path) -> None:
    """As many classes, or the same in another order: their weights would name the wrong ones."""
    trained = spnet()
    labels = ("sit", "stand", "walk")
    path = tmp_path / "trained.safetensors"
    save_weights(trained, path, spec_of(trained, name="trained", labels=labels))
    for names, others in ((labels, 0), (("sit", "walk", "stand"), 1), (("a", "b", "c"), 1)):
        network = spnet()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(7.0)
        report = load_weights(network, path, strict=False, labels=names)
        kept = {n for n, p in network.named_parameters() if bool((p == 7).all())}
        assert bool(report.reinitialized) == bool(kept) == bool(others)
        assert kept <= set(report.reinitialized)
        if others:
            assert "for other classes" in str(report)


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ([0], "names 0: the actions of xsub60 are numbers from 1 to 60"),
        ([61], "names 61"),
        ([2.5], "names 2.5"),
        (["waving"], "names 'waving'"),
        ([True], "names True"),
        ([22, 22], "twice"),
        ([], "empty"),
    ],
)
def test_actions_of_ntu_that_cannot_be_meant(actions: list, says: str) -> None:
    with pytest.raises(HarError, match=says):
        NTUReader("xsub60", actions)


def test_classes_of_own_actions_that_cannot_be_learned(tmp_path: Path) -> None:
    for label in ("a", "$\\b", "[red] c"):
        for number in range(2):
            write_clip(tmp_path / label / f"{number}.mp4", 6)
    (tmp_path / "test.txt").write_text("a/0\na/1\n")
    prepare(tmp_path)
    phases = {"pose": None, "frozen": {"epochs": 1}}
    cfg = OmegaConf.create({"module": {"phases": phases}})

    def check(actions: list[str] | None) -> None:
        options = {"resolution": (32, 32), "clip_size": 4, "num_workers": 0}
        data = OwnActionsDataModule(str(tmp_path), actions=actions, **options)
        data.setup("fit")
        check_training_classes(cfg, data)

    check(["[red] c", "$\\b"])
    with pytest.raises(HarError, match="is of the class a: prepare some"):
        check(None)
    with pytest.raises(HarError, match=r"has the class \$\\b alone"):
        check(["$\\b"])
    with pytest.raises(HarError, match="names the class a twice"):
        check(["a", "a"])
    with pytest.raises(HarError, match="names the class dance"):
        check(["a", "dance"])


# ----------------------------------------------------------------------------------------- outputs


def test_a_run_does_not_write_over_the_weights_it_begins_with(tmp_path: Path) -> None:
    weights = tmp_path / "run" / "checkpoints" / "last.ckpt"
    cfg = OmegaConf.create({"weights": str(weights), "ckpt_path": None})
    with pytest.raises(HarError, match="lies in the folder of this run"):
        refuse_own_weights(cfg, tmp_path / "run")
    refuse_own_weights(cfg, tmp_path / "other")
    with pytest.raises(HarError, match=r"written as \.safetensors"):
        save_weights(spnet(), tmp_path / "weights.pt")


def test_a_name_with_a_reference_in_it_stays_a_name() -> None:
    for name in ("${env}.mp4", "\\${env}", "a\\\\${x}", "$", "${", "plain"):
        plain = {"data": {"folder": name, "list": [name]}}
        assert OmegaConf.to_container(OmegaConf.create(escape_references(plain))) is not None
        read = OmegaConf.create(OmegaConf.to_yaml(OmegaConf.create(escape_references(plain))))
        assert OmegaConf.to_container(read, resolve=True) == plain, name


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"clip_size": 0},
        {"step": -1},
        {"num_workers": -1},
        {"eval_batch_size": 0},
        {"limit_eval": 0},
        {"resolution": (0, 256)},
        {"seed": -1},
        {"frame_batch_size": -2},
    ],
)
def test_data_modules_check_their_numbers(wrong: dict, tmp_path: Path) -> None:
    with pytest.raises(HarError, match="has to be a whole number"):
        NTUDataModule(str(tmp_path), **wrong)
