"""Streaming says of every window what the network says of the clip."""

import numpy as np
import pytest
import torch

from har.errors import HarError
from har.runtime.streaming import ClipStream
from tests.helpers.networks import action_merge, crops, make_engine, normalized, reception, spnet

VIDEO = crops(40)


def windows(size: int, step: int = 1) -> list[list[int]]:
    span = (size - 1) * step + 1
    return [list(range(i, i + span, step)) for i in range(len(VIDEO) - span + 1)]


def clip_network_on(network, frames: list[list[int]]) -> np.ndarray:
    """Every window by itself, all of its frames."""
    video = normalized(VIDEO)
    with torch.inference_mode():
        answers = [network(video[numbers][None]).actions[-1] for numbers in frames]
    return torch.cat(answers).numpy()


NETWORKS = {
    "two pyramids": lambda: spnet(),
    "actions on the second pyramid only": lambda: spnet(action_pyramids=(2,)),
    "replica heat maps": lambda: spnet(pose_replica=True, growth=8),
}


@pytest.mark.parametrize("clip_size", [5, 8, 16])
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_window_of_40_frames(kind: str, clip_size: int) -> None:
    network = NETWORKS[kind]()
    stream = ClipStream(make_engine(network), clip_size=clip_size)
    answers = [stream.push(features) for features in stream.engine.forward_frames(VIDEO).features]
    given = [answer for answer in answers if answer is not None]
    expected = clip_network_on(network, windows(clip_size))
    assert np.abs(np.array(given) - expected).max() <= 1e-5
    assert expected.std(0).max() > 1e-4  # the windows do differ


def test_action_merge_net_and_frames_apart() -> None:
    network = action_merge()
    stream = ClipStream(make_engine(network, batch_size=3), step=3, every=4)
    answers = [stream.push(features) for features in stream.engine.forward_frames(VIDEO).features]
    given = [answer for answer in answers if answer is not None]
    expected = clip_network_on(network, windows(8, step=3)[::4])
    assert [i for i, answer in enumerate(answers) if answer is not None] == [21, 25, 29, 33, 37]
    assert np.abs(np.array(given) - expected).max() <= 1e-5


def test_each_frame_is_computed_once() -> None:
    network = spnet()
    seen = []
    network.pose.stem.register_forward_hook(lambda *_: seen.append(len(_[1][0])))
    stream = ClipStream(make_engine(network))
    for start in range(0, 40, 4):
        for features in stream.engine.forward_frames(VIDEO[start : start + 4]).features:
            stream.push(features)
    assert sum(seen) == 40


def test_a_restart_forgets() -> None:
    stream = ClipStream(make_engine(spnet()), clip_size=4)
    features = stream.engine.forward_frames(VIDEO[:8]).features
    first = [stream.push(f) for f in features]
    stream.restart()
    assert all(answer is None for answer in [stream.push(f) for f in features[:3]])
    np.testing.assert_array_equal(stream.push(features[3]), first[3])


def test_what_cannot_stream() -> None:
    with pytest.raises(HarError, match="poses only"):
        ClipStream(make_engine(reception()))
    with pytest.raises(HarError, match="step"):
        ClipStream(make_engine(spnet()), step=0)
