"""The engine: crops in, poses out, and actions of clips of the same frames."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from har.errors import HarError
from har.models.spec import ModelSpec

# Per action block, what FrameFeatures has of a frame: (J, dim) and (J, C).
FeaturesOfFrame: TypeAlias = tuple[Any, ...]


class EngineOutput(NamedTuple):
    """Output of an engine for N frames.

    Attributes:
        poses: float32 (N, J, dim + 1): x, y in [0, 1] of the crop, z in [0, 1] of the depth range
            (3-D), confidence in [0, 1].
        features: per frame, what :meth:`Engine.classify_clips` takes; empty tuples of a network
            without actions. They stay on the device.
    """

    poses: NDArray[np.float32]
    features: list[FeaturesOfFrame]


class Runtime(Protocol):
    """A backend: PyTorch or onnxruntime."""

    def forward_frames(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], list[Any]]:
        """uint8 crops (N, H, W, 3) to poses (N, J, dim + 1) and arrays (N, J, ...) of features."""

    def classify_clips(self, clips: Sequence[Sequence[FeaturesOfFrame]]) -> NDArray[np.float32]:
        """Features of the T frames of N clips to probabilities (N, C)."""

    def compile(self, images: NDArray[np.uint8]) -> bool:
        """Makes batches like this one as fast as they can be; whether that worked."""


class Engine:
    """A trained network that computes. Threads may share it.

    Args:
        runtime: the backend.
        spec: the record of the network.
        batch_size: frames that pass through the network at a time.
    """

    def __init__(self, runtime: Runtime, spec: ModelSpec, *, batch_size: int = 8) -> None:
        self.runtime, self.spec, self.batch_size = runtime, spec, batch_size
        self._lock = threading.Lock()

    def forward_frames(self, images: NDArray[np.uint8]) -> EngineOutput:
        """Poses of frames, each computed once.

        Args:
            images: uint8 RGB crops (N, H, W, 3) of the size ``spec.resolution``; N may be 0.

        Raises:
            HarError: another type or shape.
        """
        width, height = self.spec.resolution
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (height, width, 3):
            raise HarError(
                f"{self.spec.name} takes uint8 crops (N, {height}, {width}, 3), not "
                f"{images.dtype} {images.shape}."
            )
        images = np.ascontiguousarray(images)
        poses = [np.zeros((0, self.spec.num_joints, self.spec.dim + 1), np.float32)]
        features: list[FeaturesOfFrame] = []
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            with self._lock:  # per batch, so that threads take turns
                pose, found = self.runtime.forward_frames(batch)
            poses.append(pose)
            features += list(zip(*found, strict=True)) if found else [()] * len(batch)
        return EngineOutput(np.concatenate(poses), features)

    def classify_clips(
        self, features: Sequence[FeaturesOfFrame] | Sequence[Sequence[FeaturesOfFrame]]
    ) -> NDArray[np.float32]:
        """Probabilities of the actions of a clip, or of several.

        Args:
            features: of the T frames of one clip, from :meth:`forward_frames`; or of N clips of T
                frames.

        Returns:
            float32 (C,) in the order of ``spec.labels``; of N clips (N, C).

        Raises:
            HarError: a network without actions, or a clip without frames.
        """
        if not self.spec.labels:
            raise HarError(f"{self.spec.name} computes poses only, no actions.")
        if not len(features) or not len(features[0]):
            raise HarError("A clip needs at least one frame.")
        single = not isinstance(features[0][0], tuple)
        clips: Any = [features] if single else features
        with self._lock:
            probabilities = self.runtime.classify_clips(clips)
        return probabilities[0] if single else probabilities

    def arrays(self, features: FeaturesOfFrame) -> tuple[NDArray[np.float32], ...]:
        """The features of a frame, wherever they are, as float32 arrays that may be changed;
        :meth:`classify_clips` takes them too."""
        return tuple(torch.as_tensor(part).float().cpu().numpy().copy() for part in features)

    def compile(self) -> bool:
        """Makes the engine as fast as it can be, now: worth a minute's wait before long work.

        Without it the engine compiles by itself when that pays. Returns whether it computes by
        compiled code from now on.
        """
        width, height = self.spec.resolution
        with self._lock:
            return self.runtime.compile(np.zeros((self.batch_size, height, width, 3), np.uint8))
