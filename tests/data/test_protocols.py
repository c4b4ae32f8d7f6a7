"""Evaluation protocols: each crop once, every clip the one that stands alone would be."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from har.data import NTUDataModule
from har.data.augment import AugmentParams
from har.data.clips import multi_clip_frames
from har.data.crops import read_crops
from har.data.protocols import ClipProtocol, CropBatches, ProtocolDataset, collate_sequences
from har.data.targets import clip_box
from har.errors import HarError
from har.layouts import get_layout
from tests.helpers.ntu_target import ntu_target

SIZE, RESOLUTION = 4, (32, 32)


@pytest.fixture(scope="module")
def samples(tiny_ntu: Path):
    data = NTUDataModule(
        str(tiny_ntu), actions=[22, 43], clip_size=SIZE, resolution=RESOLUTION, step=3
    )
    data.setup("test")
    return data.test_clips


def alone(samples, number: int, frames: list[int], flip: bool, box_frames: list[int]):
    """Crops and target of one clip, made from the parts, without the data set."""
    sample = int(samples.selection[number])
    name = samples.index.names[sample].decode()
    annotation, size = samples.index.annotation(sample), samples.index.frame_size(sample)
    layout = get_layout("pa17j")
    joints = annotation.joints_px.astype(float) * size[0] / 1920
    kept = joints[:, list(layout.from_ntu)]
    target = ntu_target(
        annotation.joints_px[frames],
        annotation.depth_mm[frames],
        annotation.state[frames],
        layout=layout,
        frame_size=size,
        params=AugmentParams(flip=flip),
        box=clip_box(kept[box_frames], size),
    )
    crops = read_crops(samples.store, name, np.array(frames), target.affine, RESOLUTION)
    return crops, target


def test_the_single_protocol_is_the_fixed_clip(samples) -> None:
    item, fixed = ProtocolDataset(samples, ClipProtocol(steps=(3,)))[1], samples[1]
    (clip,) = item["clips"]
    assert torch.equal(item["crops"][clip], fixed["images"])
    assert torch.equal(item["pose"][clip], fixed["pose"])
    assert torch.equal(item["tracked"][clip], fixed["tracked"])
    assert (item["root_depth_mm"] == fixed["root_depth_mm"]).all()
    assert item["name"] == fixed["name"]
    assert item["action"] == fixed["action"]
    assert not item["mirrored"].any()


@pytest.mark.parametrize("box_per", ["clip", "sequence"])
def test_every_clip_is_the_one_that_stands_alone(samples, box_per: str) -> None:
    steps = (1, 3)
    dataset = ProtocolDataset(samples, ClipProtocol("multi", steps, True, box_per))
    for number in (0, 3):
        item = dataset[number]
        sample = int(samples.selection[number])
        clips = multi_clip_frames(int(samples.index.num_frames[sample]), SIZE, steps)
        assert len(item["clips"]) == 2 * len(clips)
        everything = sorted({frame for clip in clips for frame in clip})
        for place, frames in enumerate(clips * 2):
            flip = place >= len(clips)
            of_box = frames if box_per == "clip" else everything
            crops, target = alone(samples, number, frames, flip, of_box)
            rows = item["clips"][place]
            assert torch.equal(item["mirrored"][rows], torch.full((SIZE,), flip))
            assert np.array_equal(item["crops"][rows].numpy(), crops)
            assert np.allclose(item["affine"][rows].numpy(), target.affine)
            assert np.allclose(item["pose"][rows][..., :2].numpy(), target.pose[..., :2])


def test_frames_in_one_box_are_cropped_once(samples) -> None:
    dense = ProtocolDataset(samples, ClipProtocol("multi", (1,), True, "sequence"))
    item = dense[0]
    sample = int(samples.selection[0])
    clips = multi_clip_frames(int(samples.index.num_frames[sample]), SIZE, (1,))
    seen = {frame for clip in clips for frame in clip}
    assert len(item["crops"]) == 2 * len(seen) < 2 * SIZE * len(clips)
    for protocol in (dense.protocol, ClipProtocol("multi", (1, 3), True, "clip")):
        dataset = ProtocolDataset(samples, protocol)
        assert dataset.num_crops().tolist() == [len(dataset[i]["crops"]) for i in range(4)]
        assert dataset.num_clips().tolist() == [len(dataset[i]["clips"]) for i in range(4)]


def test_batches_span_sequences(samples) -> None:
    dataset = ProtocolDataset(samples, ClipProtocol("multi", (2,), False, "clip"))
    items = [dataset[number] for number in range(3)]
    batch = collate_sequences(items)
    for number, item in enumerate(items):
        clips = batch["clips"][batch["sequence"] == number]
        assert torch.equal(batch["crops"][clips], item["crops"][item["clips"]])
        assert torch.equal(batch["clips"][batch["first_clip"][number]], clips[0])
    assert batch["action"].tolist() == [item["action"] for item in items]


@given(st.lists(st.integers(1, 50), min_size=3, max_size=40), st.integers(1, 60), st.integers(1, 3))
def test_batches_share_out_every_sequence_once(
    crops: list[int], budget: int, processes: int
) -> None:
    seen = []
    for rank in range(processes):
        for batch in CropBatches(np.array(crops), budget, rank, processes):
            assert len(batch) == 1 or sum(crops[i] for i in batch) <= budget
            seen += batch
    assert sorted(seen) == list(range(len(crops)))


def test_mistakes_are_said() -> None:
    with pytest.raises(HarError, match=r"protocol\.clips=many: choose single or multi"):
        ClipProtocol("many")
    with pytest.raises(HarError, match="box_per"):
        ClipProtocol(box_per="frame")
    with pytest.raises(HarError, match="steps"):
        ClipProtocol(steps=(0,))
    with pytest.raises(HarError, match="2 samples cannot be shared out over 3 processes"):
        CropBatches(np.array([4, 4]), 8, 0, 3)
