"""The engine's answers, its batches and what it refuses."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from har.errors import HarError
from tests.helpers.networks import action_merge, crops, make_engine, normalized, reception, spnet


@pytest.mark.parametrize("count", [0, 1, 7, 8, 11])
def test_any_number_of_frames(count: int) -> None:
    network = spnet()
    result = make_engine(network).forward_frames(crops(count))
    assert result.poses.shape == (count, 17, 4)
    assert result.poses.dtype == np.float32
    assert len(result.features) == count
    if count:
        with torch.inference_mode():
            expected = network(normalized(crops(count))).poses[-1].numpy()
        np.testing.assert_allclose(result.poses, expected, atol=1e-5)


def test_actions_of_one_clip_and_of_several() -> None:
    network = spnet()
    engine = make_engine(network)
    features = engine.forward_frames(crops(12)).features
    clips = [features[:8], features[4:12], [features[0]] * 8]
    together = engine.classify_clips(clips)
    assert together.shape == (3, 3)
    for clip, answer in zip(clips, together, strict=True):
        np.testing.assert_allclose(engine.classify_clips(clip), answer, atol=1e-6)
    with torch.inference_mode():
        expected = network(normalized(crops(12))[None, :8]).actions[-1][0].numpy()
    np.testing.assert_allclose(together[0], expected, atol=1e-5)


def test_of_several_action_sets_the_first_of_the_last_block_answers() -> None:
    network = spnet(num_actions=(3, 5))
    engine = make_engine(network)
    with torch.inference_mode():
        expected = network(normalized(crops(8))[None]).actions[-2][0].numpy()
    np.testing.assert_allclose(
        engine.classify_clips(engine.forward_frames(crops(8)).features), expected, atol=1e-5
    )


@pytest.mark.parametrize("network", [reception(), action_merge()], ids=["reception", "merge"])
def test_confidences_of_raw_heat_maps_are_made_probabilities(network) -> None:
    """By hand: the softmax of the map, and the best of its 2x2 windows."""
    images = normalized(crops(3))
    result = make_engine(network).forward_frames(crops(3))
    with torch.inference_mode():
        maps = network.pose_network(images, heat_maps=True).heat_maps[-1].double().numpy()
        raw = network(images).poses[-1][..., -1].numpy()
    shares = np.exp(maps - maps.max((2, 3), keepdims=True))
    shares /= shares.sum((2, 3), keepdims=True)
    windows = shares[..., 1:, 1:] + shares[..., :-1, 1:] + shares[..., 1:, :-1]
    expected = (windows + shares[..., :-1, :-1]).max((2, 3))
    np.testing.assert_allclose(result.poses[..., -1], expected, atol=1e-5)
    assert np.abs(raw - expected).max() > 0.01


def test_threads_share_an_engine() -> None:
    engine = make_engine(spnet(), batch_size=2)
    videos = [crops(8, seed) for seed in range(6)]
    alone = [engine.forward_frames(video).poses for video in videos]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda video: engine.forward_frames(video).poses, videos))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 64, 64, 3), np.float32),
        np.zeros((2, 32, 64, 3), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
    ],
)
def test_other_images_are_refused(images: np.ndarray) -> None:
    with pytest.raises(HarError, match=r"uint8 crops \(N, 64, 64, 3\)"):
        make_engine(spnet()).forward_frames(images)


def test_questions_without_an_answer() -> None:
    with pytest.raises(HarError, match="poses only"):
        make_engine(reception()).classify_clips([()] * 8)
    with pytest.raises(HarError, match="at least one frame"):
        make_engine(spnet()).classify_clips([])
