"""The original's networks, by name from the registry and through the one reader of files."""

import numpy as np
import pytest
import torch

from har.weights import WeightsFile, create_model
from tests.helpers.golden import GOLDEN, HIDDEN, golden_answers, golden_arrays, golden_path

# The same network written by a later process and by a later Keras.
SAME = dict.fromkeys(("spnet_clip_ntu_late", "spnet_clip_ntu_modern"), "spnet_clip_ntu")


@pytest.mark.parametrize("name", [*GOLDEN, *SAME])
def test_every_golden_network(name: str) -> None:
    arrays = golden_arrays(f"{SAME.get(name, name)}.npz")
    opened = WeightsFile.open(golden_path(f"{name}.h5"))
    assert opened.network is not None
    network = create_model(opened.network, **{**opened.arguments, **HIDDEN.get(name, {})}).eval()
    report = opened.load_into(network)
    assert not report.missing
    assert not report.unexpected
    images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(arrays["x"], -1, -3)))
    with torch.inference_mode():
        out = network(images)
    found = [value.numpy() for value in (*out.poses, *out.actions)]
    for value, wanted in zip(found, golden_answers(arrays), strict=True):
        # absolute, but for raw confidences: sums of heat maps, as exact as the largest of them
        scale = np.maximum(1, np.abs(wanted).max(tuple(range(wanted.ndim - 1))))
        assert (np.abs(value - wanted) / scale).max() <= 1e-5


def test_every_file_is_read() -> None:
    """Also those without outputs of their own."""
    for name in ("spnet_pose_pretrain", "spnet_train_k214"):
        network = WeightsFile.open(golden_path(f"{name}.h5")).load()
        assert not network.training
