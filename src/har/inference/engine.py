"""A trained network that answers: crops in, poses out, and actions of clips of the same frames."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from har import HarError
from har.inference.info import ModelInfo
from har.inference.parts import ClipPart, FramePart

FeaturesOfFrame: TypeAlias = tuple[Tensor, ...]


class FrameResult(NamedTuple):
    """What the network says about frames.

    Attributes:
        poses: float32 (N, J, dim + 1): x, y in [0, 1] of the crop, z in [0, 1] of the depth range
            (3-D), confidence in [0, 1].
        features: per frame, what :meth:`Engine.actions` takes; empty tuples of a network without
            actions. They stay on the device.
    """

    poses: NDArray[np.float32]
    features: list[FeaturesOfFrame]


class Engine:
    """A network ready to answer, on one device. Threads may share it.

    Args:
        network: of :mod:`har.models`, with its weights.
        info: what is known about it.
        device: ``"cpu"``, ``"cuda"``, ...
        batch_size: frames that pass through the network at a time.
    """

    def __init__(
        self, network: nn.Module, info: ModelInfo, *, device: str = "cpu", batch_size: int = 8
    ) -> None:
        self.info, self.batch_size = info, batch_size
        self.device = torch.device(device)
        network = network.eval().to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._frame_part: Any = FramePart(network)
        self._clip_part: Any = ClipPart(network) if info.labels else None
        self._lock = threading.Lock()

    def frames(self, images: NDArray[np.uint8]) -> FrameResult:
        """Poses of frames, each looked at once.

        Args:
            images: uint8 RGB crops (N, H, W, 3) of the size ``info.resolution``; N may be 0.

        Raises:
            HarError: another type or shape.
        """
        images = self._checked(images)
        poses, features = [], []
        with self._lock, torch.inference_mode():
            for start in range(0, len(images), self.batch_size):
                part = torch.from_numpy(images[start : start + self.batch_size])
                pose, *found = self._frame_part(part.to(self.device))
                poses.append(pose.float().cpu().numpy())
                features += list(zip(*found, strict=True)) if found else [()] * len(part)
        joints = np.concatenate(poses) if poses else np.zeros(self.info.pose_shape(0), np.float32)
        return FrameResult(joints, features)

    def actions(
        self, features: Sequence[FeaturesOfFrame] | Sequence[Sequence[FeaturesOfFrame]]
    ) -> NDArray[np.float32]:
        """Probabilities of the actions of a clip, or of several.

        Args:
            features: of the T frames of one clip, from :meth:`frames`; or of N clips of T frames.

        Returns:
            float32 (C,) in the order of ``info.labels``; of N clips (N, C).

        Raises:
            HarError: a network without actions, or a clip without frames.
        """
        if self._clip_part is None:
            raise HarError(f"{self.info.name} knows poses only, no actions.")
        if not len(features) or not len(features[0]):
            raise HarError("A clip needs at least one frame.")
        single = isinstance(features[0][0], Tensor)
        clips: Any = [features] if single else features
        with self._lock, torch.inference_mode():
            gathered = [
                torch.stack([torch.stack([frame[i] for frame in clip]) for clip in clips])
                for i in range(len(clips[0][0]))
            ]
            answer = self._clip_part(*gathered).float().cpu().numpy()
        result: NDArray[np.float32] = answer[0] if single else answer
        return result

    def _checked(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        width, height = self.info.resolution
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (height, width, 3):
            raise HarError(
                f"{self.info.name} takes uint8 crops (N, {height}, {width}, 3), not "
                f"{images.dtype} {images.shape}."
            )
        return np.ascontiguousarray(images)
