"""The networks that the page offers, and the detector of all persons."""

import threading
from pathlib import Path
from typing import Any

from har.errors import HarError
from har.files import Image
from har.geometry import FloatArray
from har.prediction.predictor import Predictor
from har.weights.built_in import DEFAULT

_ENDINGS = (".ckpt", ".safetensors", ".h5", ".onnx")
_MOST = 100  # to choose from


def find_networks(weights: str | None, output_dir: Path) -> dict[str, str]:
    """Returns the networks to choose from: what the page calls them, and their name or file.

    Args:
        weights: a published name, a file, or a folder in which files are searched for, the newest
            first; None: the network of the package, then those in ``output_dir``.
        output_dir: where runs are written to.

    Raises:
        HarError: there is none in the folder.
    """
    folder = output_dir if weights is None else Path(weights)
    if weights is not None and not folder.is_dir():
        return {weights: weights}
    found = [path for path in folder.rglob("*") if path.suffix in _ENDINGS and path.is_file()]
    if not found and weights is not None:
        raise HarError(
            f"There are no weights of a network in {folder}: give another folder, a file or a "
            "published name, or leave weights= out."
        )
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    files = {path.relative_to(folder).as_posix(): str(path) for path in found[:_MOST]}
    return {DEFAULT: DEFAULT, **files} if weights is None else files


class Networks:
    """Loads networks when they are chosen, and keeps the last one.

    Args:
        choices: see :func:`find_networks`.
        refine, action_every_s, smooth: of the predictor.
        options: of :func:`har.runtime.loading.load_engine`.
    """

    def __init__(
        self,
        choices: dict[str, str],
        *,
        refine: int = 2,
        action_every_s: float = 0.25,
        smooth: bool = True,
        **options: Any,
    ) -> None:
        self.choices, self._options = choices, options
        self._of_predictor: dict[str, Any] = {
            "refine": refine,
            "action_every_s": action_every_s,
            "smooth": smooth,
        }
        self._lock = threading.Lock()
        self._loaded: tuple[str, Predictor] | None = None

    def predictor(self, name: str) -> Predictor:
        """Returns the network of a name.

        Raises:
            HarError: it is not one of the choices, or cannot be loaded.
        """
        if name not in self.choices:
            raise HarError(f"There is no network {name} here: load the page again and choose one.")
        with self._lock:
            if self._loaded is None or self._loaded[0] != name:
                from har.runtime.loading import load_engine  # torch

                self._loaded = None  # its memory is free before the next one is loaded
                engine = load_engine(self.choices[name], **self._options)
                self._loaded = name, Predictor(engine, **self._of_predictor)
            return self._loaded[1]


class Detector:
    """torchvision's detector of persons, loaded when it is first used.

    Args:
        weights: its file; None: torchvision's own where it was downloaded before.
        device: of PyTorch, or ``"auto"``.
    """

    def __init__(self, weights: str | None, device: str) -> None:
        self._weights, self._device = weights, device
        self._loaded: Any = None

    def is_here(self) -> bool:
        """Returns whether it can be used without a download."""
        if self._weights is not None:
            return True
        from torch.hub import get_dir
        from torchvision.models.detection import (
            FasterRCNN_MobileNet_V3_Large_320_FPN_Weights as Weights,
        )

        name = str(Weights.DEFAULT.url).rpartition("/")[2]
        return Path(get_dir(), "checkpoints", name).is_file()

    def __call__(self, image: Image) -> FloatArray:
        """Returns boxes (N, 4) in pixels of the persons in an image, uint8 RGB (H, W, 3)."""
        if self._loaded is None:
            from har.prediction.detector import PersonDetector
            from har.runtime.loading import choose_device

            self._loaded = PersonDetector(self._weights, choose_device(self._device))
        return self._loaded(image)
