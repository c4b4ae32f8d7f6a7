"""An exported network computed by onnxruntime, or by OpenVINO.

The file holds one graph, from clips to actions. Here it is cut at the features of frames: one part
takes frames, each once, the other clips of their features, as with any other network.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from har.errors import HarError
from har.files import file_checksum
from har.models.spec import ModelSpec
from har.runtime.exporter import METADATA_KEY, require_onnx
from har.runtime.openvino_runtime import compile_for_cpu, openvino_core
from har.transforms import normalize_images


class OnnxRuntime:
    """Computes an ``.onnx`` file of :mod:`har.export`.

    Args:
        path: the file.
        device: ``"cpu"``, or ``"cuda"`` with the onnxruntime that supports it.
        with_openvino: OpenVINO computes it, on a CPU.
        fast: then in the fastest safe precision.

    Raises:
        HarError: packages missing, or a file that is damaged or from elsewhere.
    """

    def __init__(
        self, path: Path, device: str = "cpu", *, with_openvino: bool = False, fast: bool = True
    ) -> None:
        require_onnx(f"{path.name}")
        import onnx
        import onnx.utils

        def session(model: Any, inputs: list[str], outputs: list[str], fast: bool = fast) -> Any:
            part = onnx.utils.Extractor(model).extract_model(inputs, outputs)
            data = part.SerializeToString()
            return OpenVINOSession(data, fast=fast) if with_openvino else _session(data, device)

        try:
            model = onnx.load(str(path))
            stored = {entry.key: entry.value for entry in model.metadata_props}
            metadata = json.loads(stored[METADATA_KEY])
            self.spec = _spec(metadata, path)
            self._least, self._greatest = metadata["frames"]
            # The pose part takes frames one by one, unless the length was fixed.
            self._frames_at_once = 1 if self._least != self._greatest else self._least
            names = [output.name for output in model.graph.output]
            self._features = [name for name in names if name.startswith("features_")]
            self._frame_part = session(model, ["images"], ["pose", *self._features])
            self._clip_part = None
            if self._features:
                inputs = ["images", *self._features]  # of the images the clip's length only
                # pixels of an image are too large for bfloat16
                of_clips = fast and not self.spec.features_in_image
                self._clip_part = session(model, inputs, ["action"], of_clips)
        except HarError:
            raise
        except Exception as error:  # both libraries raise kinds of their own
            text = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise HarError(
                f"{path} is not an ONNX file of har ({text}): write it with python -m har.export."
            ) from error

    def forward_frames(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """uint8 crops (N, H, W, 3) to poses (N, J, dim + 1) and features (N, J, ...)."""
        count = len(images)
        x = np.ascontiguousarray(normalize_images(torch.from_numpy(images)).numpy())
        if self._features:  # takes clips: of one frame each, or as long as it was exported
            clips = -(-count // self._frames_at_once)
            x = np.resize(x, (clips * self._frames_at_once, *x.shape[1:]))
            x = x.reshape(clips, self._frames_at_once, *x.shape[1:])
        pose, *features = self._frame_part.run(None, {"images": x})
        if not self._features:
            return pose, []
        flat = [values.reshape(-1, *values.shape[2:])[:count] for values in (pose, *features)]
        return flat[0], flat[1:]

    def classify_clips(
        self, clips: Sequence[Sequence[tuple[NDArray[np.float32], ...]]]
    ) -> NDArray[np.float32]:
        """Features of the T frames of N clips to probabilities (N, C).

        Raises:
            HarError: clips of another length than the file was exported for.
        """
        assert self._clip_part is not None
        frames = len(clips[0])
        most = self._greatest or "any number of"
        if frames < self._least or frames > (self._greatest or frames):
            raise HarError(
                f"{self.spec.name} was exported for clips of {self._least} to {most} frames, not "
                f"of {frames}: export it with weights of that clip size."
            )
        names = [given.name for given in self._clip_part.get_inputs()]
        features = {
            name: np.stack([np.stack([frame[i] for frame in clip]) for clip in clips])
            for i, name in enumerate(self._features)
        }
        width, height = self.spec.resolution
        if "images" in names:
            features["images"] = np.zeros((len(clips), frames, 3, height, width), np.float32)
        return self._clip_part.run(None, features)[0]

    def compile(self, images: NDArray[np.uint8]) -> bool:
        """Nothing to do: onnxruntime compiled when it read the file."""
        return True


def _spec(metadata: dict[str, Any], path: Path) -> ModelSpec:
    """The stored record, under the name and checksum of the file."""
    stored = metadata.get("spec")
    if not stored:  # of 0.1.0
        network = {"network": metadata["network"], "arguments": metadata["config"]}
        stored = {**metadata["info"], **network}
    return ModelSpec.from_dict({**stored, "name": path.name, "weights_sha256": file_checksum(path)})


def _session(model: bytes, device: str) -> Any:
    """A graph of onnxruntime, ready to run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    wanted = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        raise HarError(f"This onnxruntime does not support {device}; choose device=cpu.")
    return onnxruntime.InferenceSession(model, options, providers=[wanted])


class OpenVINOSession:
    """A graph of OpenVINO behind the two methods of onnxruntime's session that are used here."""

    def __init__(self, model: bytes, *, fast: bool) -> None:
        read = openvino_core().read_model(model)
        self._names = [tensor.get_any_name() for tensor in read.inputs]
        self._request = compile_for_cpu(read, fast=fast)

    def get_inputs(self) -> list[Any]:
        """The inputs, each with a ``name``."""
        return [SimpleNamespace(name=name) for name in self._names]

    def run(self, outputs: None, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """All outputs, in their order."""
        self._request.infer({name: inputs[name] for name in self._names})
        return [tensor.data.copy() for tensor in self._request.output_tensors]
