"""Detection of persons by torchvision, trained on COCO."""

import threading
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from har.errors import HarError

_PERSON = 1  # of COCO's classes
_MIN_SCORE = 0.7


class PersonDetector:
    """Detects persons in images by Faster R-CNN with MobileNetV3 at 320 px, which is fast.

    Args:
        weights: a state dict of ``fasterrcnn_mobilenet_v3_large_320_fpn``; None: torchvision's,
            downloaded once.
        device: of PyTorch.

    Raises:
        HarError: torchvision has no compiled operators here, or there are no weights.
    """

    def __init__(self, weights: str | Path | None = None, device: str = "cpu") -> None:
        try:
            from torchvision.models.detection import (
                FasterRCNN_MobileNet_V3_Large_320_FPN_Weights as Weights,
            )
            from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
        except (ImportError, RuntimeError) as error:
            raise HarError(f"torchvision's detectors do not work here ({error}).") from error
        network = fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None)
        try:
            if weights is None:
                state = Weights.DEFAULT.get_state_dict(progress=True, check_hash=True)
            else:
                state = torch.load(weights, map_location="cpu", weights_only=True)
            network.load_state_dict(state)
        except Exception as error:  # of the network, of the file, of its content
            what = "downloaded" if weights is None else f"read from {weights}"
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0]
            raise HarError(
                f"The detector's weights cannot be {what} ({reason}): give "
                "detector_weights=<file> or boxes=<file>, or leave out finder=detector."
            ) from error
        self._network, self._device = network.eval().to(device), device
        self._lock = threading.Lock()

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Boxes (N, 4) in pixels of the persons in an image (H, W, 3) uint8 RGB."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self._device)
        with self._lock, torch.inference_mode():
            found = self._network([pixels.permute(2, 0, 1).float() / 255])[0]
        person = (found["labels"] == _PERSON) & (found["scores"] >= _MIN_SCORE)
        boxes = found["boxes"][person].cpu().numpy().astype(np.float64)
        extent = boxes[:, 2:] - boxes[:, :2]
        return np.asarray(boxes[(extent > 0).all(-1)])
