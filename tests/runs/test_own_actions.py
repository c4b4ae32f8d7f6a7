"""Own actions in one command: prepared, cross-validated, trained; what prediction makes of it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from har.data.feature_clips import FeatureClips, collate_clips
from har.data.framestore.stored_features import StoredFeatures
from har.data.modules.own_features import OwnFeaturesDataModule
from har.data.pose_augment import PoseAugmentation
from har.errors import HarError
from har.models.spec import ModelSpec
from har.modules.stored_actions import clip_log_probabilities
from har.prediction.following import Follower
from har.prediction.locating import cut_crops
from har.prediction.predictor import Predictor
from har.prediction.results import UNKNOWN, top_actions
from har.prediction.tracking import GivenBoxes
from har.runs.measuring import measure
from har.runs.own_actions import mirror_images
from har.runs.own_features import feature_shapes, features_of_clip, pose_part_key
from har.runs.training import train
from har.runtime.loading import engine_of
from har.video import Frame, Video
from har.weights import WeightsFile, load_network, spec_of
from tests.helpers.commands import call
from tests.helpers.networks import normalized, spnet
from tests.helpers.people import SIZE, sure_people, write_people

FAST = ["data.clip_size=6", "module.phases.frozen.epochs=1", "trainer=cpu", "own.workers=0"]
FAST += ["module.phases.frozen.steps_per_epoch=12", "callbacks.progress_bar=null"]
FAST += ["+trainer.enable_progress_bar=false", "logger=none"]


def write_moving(path: Path, speed: float, frames: int = 20, seed: int = 0) -> Path:
    """A video of a noisy square that moves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"XVID"), 15, (80, 60))
    square = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    for number in range(frames):
        image = np.full((60, 80, 3), 90, np.uint8)
        x = int(8 + speed * number) % 50
        image[18:42, x : x + 24] = square
        writer.write(image)
    writer.release()
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of three persons each, and a file that is no video."""
    root = tmp_path_factory.mktemp("own")
    for label, speed in (("stand", 0.0), ("walk", 3.0)):
        for number, person in enumerate(("anna", "ben", "eve")):
            write_moving(root / label / f"{person}_1.avi", speed, seed=number)
    (root / "walk" / "text.mp4").write_text("no video")
    return root


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("weights") / "people.safetensors")


@pytest.fixture(scope="module")
def run(own: Path, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over all of it."""
    folder = tmp_path_factory.mktemp("run")
    words = ["experiment=own_actions", f"paths.data_dir='{own}'", f"weights='{people}'", *FAST]
    words += ["data.group_by='/([a-z]+)_'", "data.folds=leave_one_group_out"]
    call("train", train, folder, words)
    return folder


def test_a_folder_becomes_a_network(run: Path, own: Path) -> None:
    stated = json.loads((run / "metrics.json").read_text())
    metrics = stated["metrics"]
    assert [fold["held_out"] for fold in metrics["folds"]] == ["anna", "ben", "eve"]
    assert sum(fold["clips"] for fold in metrics["folds"]) == 6
    right = sum(fold["right"] for fold in metrics["folds"])
    assert metrics["action_top1"] == pytest.approx(100 * right / 6)
    assert metrics["action_mean_class"] == pytest.approx(np.mean(metrics["action_per_class"]))
    assert len(metrics["wrong_clips"]) == 6 - right
    assert stated["protocol"]["actions"] == ["stand", "walk"]
    assert cv2.imread(str(run / "confusion.png")) is not None
    lines = (run / "clips.csv").read_text().splitlines()
    assert lines[0] == "file,group,true action,recognized,stand,walk"
    assert sorted(line.split(",")[1] for line in lines[1:]) == sorted(["anna", "ben", "eve"] * 2)
    spec = WeightsFile.open(run / "checkpoints" / "last.ckpt").stated
    assert spec["labels"] == ("stand", "walk")
    assert spec["clip_size"] == 6
    assert spec["unknown_below"] is None or 0.4 < spec["unknown_below"] < 1
    assert (own / "prepared" / str(stated["config"]["data"]["features"])).is_file()


def test_predict_takes_the_network(run: Path, own: Path) -> None:
    predictor = Predictor.from_pretrained(run / "checkpoints" / "last.ckpt", fast=False)
    result = predictor(own / "walk" / "anna_1.avi")
    assert len(result.poses) == 20
    assert len(result.actions) > 1
    assert result.actions.labels == ("stand", "walk")
    assert result.actions.top(1)[0].label in ("stand", "walk", UNKNOWN)


def test_the_pose_part_is_computed_once_and_stays_as_it_was(
    run: Path, own: Path, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, before = load_network(run / "checkpoints" / "last.ckpt"), load_network(people)
    state = trained.state_dict()
    for name, value in before.state_dict().items():
        assert torch.equal(state[name], value), name
    monkeypatch.setattr("har.runs.own_features.engine_of", None)  # not called again
    words = ["experiment=own_actions", f"paths.data_dir='{own}'", *FAST, "own.test_share=0.34"]
    words.append(f"weights='{run / 'checkpoints' / 'last.ckpt'}'")
    found = call("train", train, tmp_path / "again", words)
    assert {"action_top1", "cross_validation_top1"} <= found.keys()
    words = [f"ckpt_path='{tmp_path / 'again' / 'checkpoints' / 'last.ckpt'}'", "logger=none"]
    measured = call("evaluate", measure, tmp_path / "evaluated", words)
    assert measured["action_top1"] == found["action_top1"]


def moving_frames(own: Path) -> list[np.ndarray]:
    return [frame.image for frame in Video(own / "walk" / "ben_1.avi")]


def test_stored_features_give_the_outputs_of_the_whole_network(own: Path) -> None:
    """For the same crops: here one crop for all frames, as the whole network takes clips."""
    network = sure_people(num_actions=(3,), root_joints=(0, 1))
    spec = spec_of(network, name="tiny", layout="pa17j", resolution=(SIZE, SIZE), clip_size=6)
    engine = engine_of(network, spec, fast=False)
    images = moving_frames(own)[:6]
    box = np.array([[11.0, 6, 59, 54]])  # 60 whole pixels as a crop, so that it is a square
    finder = GivenBoxes({0: np.array([0, 5])}, {0: np.repeat(box, 2, axis=0)})
    frames = [Frame(image, n, n / 15) for n, image in enumerate(images)]
    found = Follower(engine, finder).predict(frames)
    rows = [engine.arrays((each.features or {})[0]) for each in found]
    clip = [torch.from_numpy(np.stack(part)[None]) for part in zip(*rows, strict=True)]
    stored, _ = clip_log_probabilities(network, clip, torch.tensor([1]))
    crops, _ = cut_crops(engine, images, finder.boxes(frames)[0])
    with torch.inference_mode():
        whole = network(normalized(crops)[None]).actions[-1]
    np.testing.assert_allclose(stored.detach().exp(), whole, atol=1e-5)


def test_crops_of_a_clip_may_differ(own: Path) -> None:
    """The joints that actions are made of are those that a prediction reports."""
    network = sure_people(num_actions=(3,))
    spec = spec_of(network, name="tiny", layout="pa17j", resolution=(SIZE, SIZE), clip_size=6)
    assert spec.crop_span_s == 0
    engine = engine_of(network, spec, fast=False)
    images = moving_frames(own)
    times = np.arange(len(images)) / 15
    shapes = feature_shapes(network, spec)
    assert shapes == ((17, 3), (17, 1))
    clip = features_of_clip(engine, images, times, shapes)
    stored = StoredFeatures("key", shapes, {"clip": clip})
    places, confidence = stored.arrays(clip.values)
    frames = [Frame(image, n, float(times[n])) for n, image in enumerate(images)]
    predictor = Predictor(engine, smooth=False)
    batches = [frames[start : start + 4] for start in range(0, len(frames), 4)]
    found = list(predictor.follow(batches, predictor.one_person()))
    people = [person for each in found for person in each.people]
    assert len(people) == len(clip.times_s) > 10
    joints = np.stack([person.joints_px for person in people])
    np.testing.assert_allclose(places[..., :2], joints, atol=1e-2)
    sure = np.stack([person.confidence for person in people])
    np.testing.assert_allclose(confidence[..., 0], sure, atol=1e-5)
    data = FeatureClips(
        stored,
        ["clip"],
        np.array([0]),
        clip_size=6,
        pace_s=spec.clip_seconds_between_frames,
        augmentation=PoseAugmentation(),
        flip=None,
    )
    windows = collate_clips([data[0]])
    _, single = clip_log_probabilities(network, windows["features"], windows["num_clips"])
    actions = [each.actions[0] for each in found if each.actions]
    np.testing.assert_allclose(single.detach().exp(), np.array(actions), atol=1e-5)


def test_networks_that_look_at_the_picture_keep_their_crops(own: Path) -> None:
    network = spnet(num_actions=(3,))
    spec = spec_of(network, name="tiny", layout="pa17j", resolution=(SIZE, SIZE), clip_size=4)
    assert spec.crop_span_s == spec.clip_span_s > 0
    shapes = feature_shapes(network, spec)
    assert len(shapes) == 2 * network.num_action_blocks
    engine = engine_of(network, spec, fast=False)
    images = moving_frames(own)[:6]
    finder = GivenBoxes({0: np.array([0, 5])}, {0: np.array([[0.0, 0, 80, 60]] * 2)})
    frames = [Frame(image, n, n / 15) for n, image in enumerate(images)]
    crops, _ = cut_crops(engine, images, finder.boxes(frames)[0])
    expected = [engine.arrays(each) for each in engine.forward_frames(crops).features]
    found = [each.features for each in Follower(engine, finder).predict(frames)]
    for each, wanted in zip(found, expected, strict=True):
        for part, other in zip(engine.arrays(each[0]) if each else (), wanted, strict=bool(each)):
            np.testing.assert_allclose(part, other, atol=1e-6)


def test_the_key_is_of_the_pose_part_alone() -> None:
    network = sure_people(num_actions=(3,))
    spec = spec_of(network, name="tiny", layout="pa17j", resolution=(SIZE, SIZE), clip_size=6)
    key = pose_part_key(network, spec)
    assert network.action is not None
    with torch.no_grad():
        network.action.classes[0].weight += 1
    assert pose_part_key(network, spec) == key
    other = ModelSpec.from_dict({**spec.to_dict(), "resolution": (96, 96)})
    assert pose_part_key(network, other) != key
    with torch.no_grad():
        network.heat_maps.bias += 1
    assert pose_part_key(network, spec) != key


def test_classes_that_are_each_others_mirror_image() -> None:
    labels = ["left", "right", "still"]
    classes = np.array([0, 0, 0, 1, 1, 2, 2])
    found = mirror_images(classes, np.array([1, 1, 0, 0, 0, 2, 2]), labels)
    assert found == [("left", "right")]
    assert mirror_images(classes, classes, labels) == []
    one_way = np.array([1, 1, 1, 1, 1, 2, 2])
    assert mirror_images(classes, one_way, labels) == []


def test_none_of_them() -> None:
    labels = ("a", "b", "c")
    values = np.array([0.3, 0.45, 0.25])
    assert [action.label for action in top_actions(values, labels, 2, 0.6)] == [UNKNOWN, "b"]
    assert top_actions(values, labels, 1, 0.6)[0].probability == pytest.approx(0.55)
    assert [action.label for action in top_actions(values, labels, 2, 0.4)] == ["b", "a"]
    assert [action.label for action in top_actions(values, labels, 2)] == ["b", "a"]


def make_data(own: Path, features: str, **options) -> OwnFeaturesDataModule:
    settings = {"resolution": (SIZE, SIZE), "num_workers": 0, "clip_size": 6, **options}
    data = OwnFeaturesDataModule(str(own), features=features, **settings)
    data.setup("fit")
    return data


def test_a_group_is_on_one_side(run: Path, own: Path) -> None:
    features = json.loads((run / "metrics.json").read_text())["config"]["data"]["features"]
    data = make_data(own, features, group_by="/([a-z]+)_", test_share=0.3)
    train_groups, test_groups = (
        {data.groups[row] for row in rows} for rows in (data.train_rows, data.test_rows)
    )
    assert train_groups
    assert test_groups
    assert not train_groups & test_groups
    for fold in data.cross_validation():
        held, trained = ({data.groups[row] for row in r} for r in (fold.held_out, fold.train))
        assert not held & trained
        assert set(fold.held_out) <= set(data.train_rows)
    alone = make_data(own, features)
    for fold in alone.cross_validation():
        assert set(alone.classes[fold.train]) == {0, 1}
        assert not set(fold.train) & set(fold.held_out)
    with pytest.raises(HarError, match=r"needs data\.group_by"):
        make_data(own, features, folds="leave_one_group_out")
    with pytest.raises(HarError, match="choose none or leave_one_group_out"):
        make_data(own, features, folds="all")


def test_persons_that_are_not_seen_are_told(run: Path, own: Path, tmp_path: Path) -> None:
    """A network that is sure of nothing: every clip is left out by name, and two classes lack."""
    weak = write_people(tmp_path / "weak.safetensors")
    network = load_network(weak)
    with torch.no_grad():
        network.heat_maps.weight.zero_()
        network.heat_maps.bias.zero_()
    from har.weights import save_weights

    spec = WeightsFile.open(weak).spec(network)
    save_weights(network, tmp_path / "blind.safetensors", spec)
    words = ["experiment=own_actions", f"paths.data_dir='{own}'", *FAST]
    words.append(f"weights='{tmp_path / 'blind.safetensors'}'")
    with pytest.raises(HarError, match="no class with a clip"):
        call("train", train, tmp_path / "blind", words)


def test_one_class_is_too_few(people: Path, tmp_path: Path) -> None:
    write_moving(tmp_path / "walk" / "a.avi", 2.0)
    words = ["experiment=own_actions", f"paths.data_dir='{tmp_path}'", f"weights='{people}'", *FAST]
    with pytest.raises(HarError, match="two classes or more"):
        call("train", train, tmp_path / "run", words)
