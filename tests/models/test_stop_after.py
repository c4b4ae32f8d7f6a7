"""Networks that stop after a prediction block: the same answers, and nothing behind the block."""

from pathlib import Path

import pytest
import torch

from har.errors import HarError
from har.models import ReceptionNet, SPNet
from har.weights import load_network, load_weights, save_weights
from tests.helpers.golden import golden_path


def small_spnet(**arguments) -> SPNet:
    torch.manual_seed(0)
    return SPNet(
        **{
            "num_joints": 6,
            "num_actions": (3,),
            "num_levels": 3,
            "growth": 8,
            "num_pose_features": 16,
            "num_visual_features": 16,
            **arguments,
        }
    ).eval()


@pytest.mark.parametrize(
    ("stop_after", "blocks", "actions"),
    [(1, 1, 1), (3, 3, 3), ("up2_pb1", 3, 3), ("up2_pb0", 4, 4)],
)
def test_what_is_left_answers_as_the_whole_network(
    stop_after: int | str, blocks: int, actions: int, tmp_path: Path
) -> None:
    whole = small_spnet()
    save_weights(whole, tmp_path / "w.safetensors")
    short = load_network(tmp_path / "w.safetensors", stop_after=stop_after)
    clip = torch.rand(1, 4, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        all_answers, answers = whole(clip), short(clip)
    assert (len(answers.poses), len(answers.actions)) == (blocks, actions)
    for expected, value in zip(all_answers.poses, answers.poses, strict=False):
        torch.testing.assert_close(value, expected, rtol=0, atol=0)
    for expected, value in zip(all_answers.actions, answers.actions, strict=False):
        torch.testing.assert_close(value, expected, rtol=0, atol=0)


def test_nothing_behind_the_block_is_built_or_kept() -> None:
    short = small_spnet(stop_after="dp1_pb2")
    names = set(short.state_dict())
    assert not any("up2" in name for name in names)
    assert not any("back" in name for name in names if "dp1_pb2" in name)
    last = short.pose.blocks["dp1_pb2"]
    assert not last.feeds_back
    assert short.action.blocks["dp1_pb2"].pred_conv3 is None


def test_stopping_before_the_actions_leaves_the_poses() -> None:
    short = small_spnet(action_pyramids=(2,), stop_after=2)
    out = short(torch.zeros(1, 4, 3, 64, 64))
    assert len(out.poses) == 2
    assert out.actions == ()
    assert short.num_action_outputs == 0


def test_a_short_network_is_saved_and_loaded(tmp_path: Path) -> None:
    short = small_spnet(stop_after=2)
    save_weights(short, tmp_path / "short.safetensors")
    again = load_network(tmp_path / "short.safetensors")
    assert again.state_dict().keys() == short.state_dict().keys()
    with pytest.raises(HarError, match="stop_after=2"):
        load_weights(small_spnet(), tmp_path / "short.safetensors")


@pytest.mark.parametrize("file", ["spnet_clip5.h5", "reception_2d_plain.h5"])
def test_files_of_the_original(file: str) -> None:
    whole, short = load_network(golden_path(file)), load_network(golden_path(file), stop_after=1)
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        expected, value = whole(images).poses[0], short(images).poses
    assert len(value) == 1
    torch.testing.assert_close(value[0], expected, rtol=0, atol=0)


def test_a_block_that_is_not_there() -> None:
    with pytest.raises(HarError, match=r"stop_after=5: .*1 to 4, .*dp1_pb1, dp1_pb2"):
        small_spnet(stop_after=5)
    with pytest.raises(HarError, match="up3_pb0"):
        small_spnet(stop_after="up3_pb0")
    with pytest.raises(HarError, match="stop_after=3"):
        ReceptionNet(num_blocks=2, stop_after=3)
