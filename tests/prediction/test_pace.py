"""A network predicts with the pace of its training, whatever rate the frames were stored with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from har import Predictor
from har.data.ntu.prepare import prepare_ntu
from har.data.own.prepare import prepare_own
from har.runs import training
from har.runs.config import instantiate
from har.runtime.clip_buffer import TimedClips
from har.runtime.loading import load_engine
from har.synthetic.ntu import synthetic_samples, write_ntu
from har.video import Video
from tests.helpers.commands import call
from tests.helpers.red_person import walking, write_video

CLIP_SIZE, PACE_S = 4, 3 / 15  # not the pace of the recipe, 4 / 15 s
TINY = [
    f"data.clip_size={CLIP_SIZE}",
    "data.step=3",
    "data.augmentation.steps=[3]",
    "data.resolution=[32,32]",
    "data.batch_size=2",
    "data.frame_batch_size=2",
    "data.num_workers=0",
    "model.num_levels=2",
    "model.growth=8",
    "model.num_pose_features=16",
    "model.num_visual_features=16",
    "trainer.max_steps=2",
    "test=false",
]


def train(folder: Path, *words: str) -> Path:
    """Two steps of training with a network of 32x32 pixels; its checkpoint."""
    call("train", training.train, folder, [*words, *TINY])
    return folder / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def ntu(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint trained on all frames of NTU's videos (30 a second), and one of the videos."""
    folder = tmp_path_factory.mktemp("pace")
    root = folder / "data" / "ntu"
    samples = synthetic_samples([1, 2], [22, 43], [1, 2], [1], cameras_per_sample=1)
    write_ntu(root, samples, size=(192, 108), workers=1)
    prepare_ntu(root, root, root / "prepared", stride=1, workers=1)
    words = ["experiment=demo", f"paths.data_dir={folder / 'data'}", "data.actions=[22,43]"]
    words += ["model.num_actions=[2]", "data.val_subjects=[]", "report_untrained=false"]
    return train(folder / "run", *words), next(root.rglob("*.avi"))


@pytest.mark.slow
def test_a_network_trained_on_every_frame_of_ntu(
    ntu: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, video = ntu
    check_pace(checkpoint, video, 30, monkeypatch)


@pytest.mark.slow
def test_a_network_trained_on_own_clips_of_25_frames_a_second(
    ntu: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "own"
    for action, label in enumerate(("stand", "wave")):
        for number in range(3):
            (root / label).mkdir(parents=True, exist_ok=True)
            video = write_video(root / label / f"{number}.avi", walking(60, action=action), fps=25)
    prepare_own(root, root / "prepared", workers=0)
    words = ["experiment=own_actions_crops", f"paths.data_dir={root}", f"weights={ntu[0]}"]
    check_pace(train(tmp_path / "run", *words), video, 25, monkeypatch)


def check_pace(checkpoint: Path, video: Path, fps: float, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = trained_times(checkpoint, fps, monkeypatch)
    predicted = predicted_times(checkpoint, video, monkeypatch)
    assert Video(video).fps == pytest.approx(fps)
    assert len(trained) == 8
    assert len(predicted) > 2
    for times in (*trained, *predicted):
        assert len(times) == CLIP_SIZE
        np.testing.assert_allclose(np.diff(times), PACE_S, atol=1 / fps + 1e-3)
        assert times[-1] - times[0] == pytest.approx((CLIP_SIZE - 1) * PACE_S, abs=1 / fps + 1e-3)
    mean = [np.mean([np.diff(times).mean() for times in clips]) for clips in (trained, predicted)]
    assert mean[0] == pytest.approx(mean[1], rel=0.06)


def trained_times(
    checkpoint: Path, fps: float, monkeypatch: pytest.MonkeyPatch
) -> list[np.ndarray]:
    """Times in the video of the frames that training clips read: their numbers over its rate."""
    config = torch.load(checkpoint, weights_only=True)["har"]["config"]["data"]
    data = instantiate(OmegaConf.create(config))
    data.setup("fit")
    clips = data.datasets["action"]
    found = []

    def record(store: object, name: str, frames: np.ndarray, *_: object) -> np.ndarray:
        found.append(clips.index.frame_numbers(name)[frames] / fps)
        return np.zeros((len(frames), 32, 32, 3), np.uint8)

    monkeypatch.setattr("har.data.clips_dataset.read_crops", record)
    for draw in range(8):
        clips["action", draw % len(clips), draw]
    return found


def predicted_times(
    checkpoint: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> list[list[float]]:
    """Times of the frames whose features a prediction's clips are made of."""
    engine = load_engine(checkpoint, device="cpu", fast=False)
    assert engine.spec.clip_seconds_between_frames == pytest.approx(PACE_S)
    assert "clip_seconds_between_frames" not in engine.spec.assumed
    pushed, clips = [], []
    push, classify = TimedClips.push, engine.classify_clips

    def record_push(self: TimedClips, time_s: float, features: tuple) -> object:
        pushed.append((time_s, features))
        return push(self, time_s, features)

    def record_clip(features: list[tuple]) -> np.ndarray:
        times = {id(features): time_s for time_s, features in pushed}
        clips.append([times[id(frame)] for frame in features])
        return classify(features)

    monkeypatch.setattr(TimedClips, "push", record_push)
    monkeypatch.setattr(engine, "classify_clips", record_clip)
    width, height = Video(video).size
    Predictor(engine)(video, boxes=[0, 0, width, height])
    return clips
