"""A detector of torchvision: weights from a file, and what is said where there are none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

from har.errors import HarError
from har.prediction.detector import PersonDetector
from tests.helpers.red_person import picture


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None)
    path = tmp_path_factory.mktemp("detector") / "random.pth"
    torch.save(network.state_dict(), path)
    return path


def test_boxes_come_out_of_weights_from_a_file(weights: Path) -> None:
    boxes = PersonDetector(weights)(picture((60, 80, 100, 180)))
    assert boxes.shape[1:] == (4,)
    assert boxes.dtype == np.float64


def test_only_confident_persons_count(weights: Path) -> None:
    detector = PersonDetector(weights)

    class Finds(torch.nn.Module):
        def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
            assert images[0].shape == (3, 240, 320)
            assert float(images[0].max()) <= 1
            boxes = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8], [9, 9, 19, 19], [3, 3, 3, 9]])
            scores = torch.tensor([0.9, 0.9, 0.2, 0.9])
            return [{"boxes": boxes, "labels": torch.tensor([1, 17, 1, 1]), "scores": scores}]

    detector._network = Finds()
    np.testing.assert_array_equal(detector(picture()), [[1, 2, 3, 4]])


def test_weights_that_are_none_are_said(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    for content in (None, b"no weights"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(HarError, match=r"cannot be read from .*weights\.pth") as caught:
            PersonDetector(path)
        assert "Re-running" not in str(caught.value)  # torch has more to say
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(HarError, match="cannot be read"):
        PersonDetector(path)


def test_a_download_that_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fails)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fails)
    with pytest.raises(HarError, match=r"cannot be downloaded \(no network\)"):
        PersonDetector()
