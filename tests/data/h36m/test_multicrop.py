"""Human3.6M in several crops an image: which crops, and the mean of their poses."""

from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from har.data import ClipDataModule
from har.data.clips_dataset import ClipDataset
from har.data.h36m.prepare import prepare_h36m
from har.data.h36m.reader import H36MReader
from har.data.persons import VIEWS
from har.data.protocols import ClipProtocol, ProtocolDataset
from har.errors import HarError
from har.layouts import get_layout
from har.metrics.camera import pose_to_camera_mm
from har.metrics.persons import mean_of_views
from har.models import ReceptionNet
from har.runs.clip_evaluator import ClipEvaluation
from har.synthetic.h36m import write_h36m

LAYOUT = get_layout("pa17j")
MANY = ClipProtocol(views="multicrop").of_images()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ClipDataModule:
    """Sequences of two actions, with 15 and 12 images or so."""
    folder = tmp_path_factory.mktemp("h36m")
    write_h36m(folder / "h36m", 14, workers=0)
    prepare_h36m(folder, test_every=5, workers=0)
    found = ClipDataModule(
        str(folder),
        reader=H36MReader(),
        clip_size=1,
        step=1,
        boxes="predicted",
        resolution=(64, 64),
        num_workers=0,
    )
    found.setup("test")
    return found


def test_the_crops_of_an_image(data: ClipDataModule) -> None:
    samples = ProtocolDataset(data.test_clips, MANY)
    plain = ProtocolDataset(data.test_clips, ClipProtocol().of_images())
    item, once = samples[0], plain[0]
    views = len(VIEWS["multicrop"])
    count = len(once["crops"])
    assert (len(item["crops"]), samples.num_crops()[0]) == (views * count, views * count)
    assert samples.num_clips()[0] == count
    assert torch.equal(item["crops"][::views], once["crops"])
    assert torch.equal(item["affine"][::views], once["affine"])
    assert item["mirrored"].unflatten(0, (count, views))[3].tolist() == [False, True] * 5
    corners = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    sides, centers = [], []
    for affine in item["affine"][:views].numpy():
        places = np.linalg.inv(affine)[:2] @ corners
        sides.append(abs(places[0, 1] - places[0, 0]))
        centers.append(places.mean(1))
    side = sides[0]
    np.testing.assert_allclose(np.array(sides[::2]) / side, [1, 0.9, 1.1, 1, 1], atol=0.01)
    shifts = (np.array(centers) - centers[0])[::2, 0] / side  # a crop is 200 units wide
    np.testing.assert_allclose(shifts, [0, 0, 0, -0.06, 0.06], atol=0.01)


def in_mm(pose: torch.Tensor, item: dict[str, Any], crop: int, data: ClipDataModule) -> Any:
    names = ("affine", "root_depth_mm", "depth_scale", "frame_width", "intrinsics")
    found = pose_to_camera_mm(
        pose[None, :, :3],
        camera=data.camera,
        depth_range_mm=data.depth_range_mm,
        **{name: torch.as_tensor(item[name][crop])[None] for name in names},
    )
    return found[0].numpy()


def test_the_mean_of_true_poses_is_the_true_pose(data: ClipDataModule) -> None:
    item, views = ProtocolDataset(data.test_clips, MANY)[1], len(VIEWS["multicrop"])
    poses = item["pose"].unflatten(0, (-1, views))
    where = [item[k].unflatten(0, (-1, views)) for k in ("affine", "mirrored", "depth_scale")]
    found = mean_of_views(poses, *where, LAYOUT)
    seen = torch.stack(
        [poses[:, v, list(LAYOUT.flip) if v % 2 else slice(None), 3] > 0 for v in range(views)]
    ).all(0)
    assert seen.float().mean() > 0.9
    torch.testing.assert_close(found[seen].float(), poses[:, 0][seen], atol=1e-5, rtol=0)


def test_the_mean_is_that_of_the_views_in_space(data: ClipDataModule) -> None:
    """Every view by itself in millimeters, left and right exchanged where it is mirrored."""
    item, views = ProtocolDataset(data.test_clips, MANY)[0], len(VIEWS["multicrop"])
    torch.manual_seed(0)
    poses = 0.5 + 0.1 * torch.randn(len(item["crops"]), 17, 4)
    where = [item[k].unflatten(0, (-1, views)) for k in ("affine", "mirrored", "depth_scale")]
    found = mean_of_views(poses.unflatten(0, (-1, views)), *where, LAYOUT)
    for image in (0, len(found) - 1):
        direct = []
        for crop in range(views * image, views * (image + 1)):
            pose = in_mm(poses[crop].double(), item, crop, data)
            direct.append(pose[list(LAYOUT.flip)] if item["mirrored"][crop] else pose)
        mean = in_mm(found[image], item, views * image, data)
        # means of places in the image and of depths, not of products of both: 1 mm or so
        np.testing.assert_allclose(mean[:, 2], np.mean(direct, 0)[:, 2], atol=1e-3)
        np.testing.assert_allclose(mean, np.mean(direct, 0), atol=30)
        order = list(LAYOUT.flip)
        sure = [poses[c, order if item["mirrored"][c] else slice(None), 3] for c in range(views)]
        if image == 0:
            torch.testing.assert_close(found[0, :, 3].float(), torch.stack(sure).mean(0))


@pytest.mark.parametrize("views", ["single", "multicrop"])
def test_errors_by_action_of_sequences_in_one_batch(data: ClipDataModule, views: str) -> None:
    samples = ProtocolDataset(data.test_clips, ClipProtocol(views=views).of_images())
    items = [samples[number] for number in range(len(samples))]
    lengths = {len(item["crops"]) for item in items}
    assert len(items) == 4
    assert len(lengths) > 1
    network = ReceptionNet(num_joints=17, dim=3, num_blocks=1, kernel_size=3, depth_maps=4)
    evaluator = ClipEvaluation(
        network,
        samples,
        data.labels,
        "pa17j",
        camera=data.camera,
        depth_range_mm=data.depth_range_mm,
        crops_per_batch=10_000,
    )
    told = []
    for item in items:
        pose = item["pose"].clone()
        # All joints but the root deeper by 20 mm, times the action's number from 1.
        deeper = 20.0 * (1 + item["action"]) / (2000 * item["depth_scale"])
        pose[:, 1:, 2] += deeper[:, None].float()
        told.append(pose)
    evaluator.evaluate = lambda batch: ([torch.cat(told)], [])  # type: ignore[method-assign]
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
    )
    trainer.test(evaluator, verbose=False)
    by_action = evaluator.results["joint_error_mm_by_action"]
    actions = sorted({item["action"] for item in items})
    assert [n for n, value in enumerate(by_action) if value is not None] == actions
    for action in actions:  # about 20 mm more with each, along the ray
        assert 18 * (1 + action) < by_action[action] < 24 * (1 + action)


def test_words_and_clips_are_checked(data: ClipDataModule) -> None:
    with pytest.raises(HarError, match="choose single or flip or multicrop"):
        ClipProtocol(views="ten")
    samples = ClipDataset(
        data.clips.index,
        data.clips.store,
        np.arange(1),
        np.zeros(1),
        clip_size=4,
        resolution=(8, 8),
    )
    with pytest.raises(HarError, match=r"protocol\.flip"):
        ProtocolDataset(samples, ClipProtocol(views="flip"))
