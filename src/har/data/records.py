"""What readers of data sets return, and what batches hold.

A reader turns the files of a data set into records; a clip's frames are stored once, with what its
record holds beside them (:mod:`har.data.framestore`). Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.errors import HarError
from har.layouts import Layout

if TYPE_CHECKING:
    from torch import Tensor

SPLITS = ("train", "val", "test")
_NO_BOX = (np.nan,) * 4


@dataclass(frozen=True)
class Person:
    """One person in an image.

    Attributes:
        id: any text, unique in its data set.
        image: path of the image, relative to the data set's folder of images.
        joints_px: (J, 2) in pixels of the image, NaN for joints that are not annotated.
        center_px: (2,) center of the crop.
        window_px: side of the crop, a square.
        length_px: what PCK measures in, as a head size; NaN: this person is not scored.
        split: ``train``, ``val`` or ``test``; anything else: not used.
        visible: (J,) 1 visible, 0 hidden, -1 unknown; None: all unknown.
        box_px: (4,) x1, y1, x2, y2 of the person; None: not known.
        area_px2: of the person, what OKS measures in; NaN: not known.
        upright: places refer to the image as its EXIF orientation turns it, not as it is stored.
        depth_mm: (J,) away from the camera, from the layout's root; NaN, and None: unknown.
    """

    id: str
    image: str
    joints_px: ArrayLike
    center_px: ArrayLike
    window_px: float
    length_px: float = np.nan
    split: str = "train"
    visible: ArrayLike | None = None
    box_px: ArrayLike | None = None
    area_px2: float = np.nan
    upright: bool = False
    depth_mm: ArrayLike | None = None

    @staticmethod
    def around(box_px: ArrayLike, enlarge: float = 1.25) -> tuple[NDArray[np.float64], float]:
        """Center and window of a box (x1, y1, x2, y2): its longer side, enlarged."""
        low, high = np.asarray(box_px, dtype=np.float64).reshape(2, 2)
        return (low + high) / 2, enlarge * float(np.max(high - low))


def _encoded(text: str, name: str) -> bytes:
    """A text as it is stored, in UTF-8; a half character of an id is written out."""
    try:
        return text.encode(errors="backslashreplace" if name == "id" else "strict")
    except UnicodeEncodeError as error:
        raise HarError(f"The {name} {text!r} is no text that can be stored: rename it.") from error


@dataclass(frozen=True)
class PersonSet:
    """The persons of a data set, in one array that loader processes share.

    Attributes:
        rows: (N,) with the fields of :class:`Person`; texts as bytes.
        images_dir: folder of the images.
        layout: the joints that the data set annotates.
        source: where the annotations come from, for people.
        unlabeled: what a joint without a place teaches: ``absent``, a confidence of 0; ``unknown``,
            nothing, but in a record without any joint, which is an image of nobody.
    """

    rows: NDArray[np.void]
    images_dir: Path
    layout: Layout
    source: str = ""
    unlabeled: str = "absent"

    @classmethod
    def of(
        cls, persons: Iterable[Person], images_dir: Path, layout: Layout, source: str = ""
    ) -> PersonSet:
        """The set of some persons.

        Raises:
            HarError: joints of another shape than the layout's, an id that occurs twice, or a
                crop without a size.
        """
        found = list(persons)
        for person in found:
            shape, center = np.shape(person.joints_px), np.ravel(np.asarray(person.center_px))
            finite = np.isfinite([*center, person.window_px]).all()
            if shape != (layout.num_joints, 2) or not finite:
                raise HarError(
                    f"Person {person.id} needs joints ({layout.num_joints}, 2), a center and a "
                    f"window, but has joints {shape}: mend the annotation or leave the person out."
                )
        if len({person.id for person in found}) < len(found):
            raise HarError(f"Two persons of {source or images_dir} have the same id.")
        unknown, no_depth = np.full(layout.num_joints, -1), np.full(layout.num_joints, np.nan)
        columns = {f.name: [getattr(person, f.name) for person in found] for f in fields(Person)}
        columns["visible"] = [unknown if v is None else v for v in columns["visible"]]
        columns["depth_mm"] = [no_depth if v is None else v for v in columns["depth_mm"]]
        columns["box_px"] = [_NO_BOX if v is None else v for v in columns["box_px"]]
        for name in ("id", "image", "split"):
            columns[name] = [_encoded(text, name) for text in columns[name]]
        return cls.from_columns(images_dir, layout, source, **columns)

    @classmethod
    def from_columns(
        cls, images_dir: Path, layout: Layout, source: str, **columns: Any
    ) -> PersonSet:
        """The same from a column (N, ...) of every field of :class:`Person`; texts as bytes.

        Columns with a default may be missing.
        """
        texts = {name: np.asarray(columns[name], dtype=np.bytes_) for name in ("id", "image")}
        joints = layout.num_joints
        rows = np.empty(
            len(texts["id"]),
            dtype=[
                *((name, text.dtype.str) for name, text in texts.items()),
                ("joints_px", np.float64, (joints, 2)),
                ("visible", np.int8, (joints,)),
                ("center_px", np.float64, (2,)),
                ("window_px", np.float64),
                ("length_px", np.float64),
                ("split", "S8"),
                ("box_px", np.float64, (4,)),
                ("area_px2", np.float64),
                ("upright", np.bool_),
                ("depth_mm", np.float32, (joints,)),
            ],
        )
        rows["box_px"], rows["area_px2"], rows["upright"] = np.nan, np.nan, False
        rows["depth_mm"] = np.nan
        for name, values in columns.items():
            rows[name] = np.asarray(values).reshape(rows[name].shape)
        return cls(rows, images_dir, layout, source)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.int_] | slice) -> PersonSet:
        return replace(self, rows=self.rows[chosen])

    def of_split(self, split: str) -> PersonSet:
        """The persons of a split."""
        return self[self.rows["split"] == split.encode()]


@dataclass(frozen=True)
class Clip:
    """Frames of a video in which people act, without the images.

    Attributes:
        id: any text, unique in its data set.
        times_s: float64 (F,) seconds of the stored frames, ascending.
        joints: float32 (F, P, J, C) of P people, the acting one first; NaN where unknown. C = 2: x
            and y in pixels; 3: and state, 0 for joints that errors do not count; 4: x, y, depth in
            mm, state. All clips of a data set have the same P, J and C.
        group: clips of a group share a shard.
        label: name of the class.
        split: ``train``, ``val`` or ``test``; empty: none, or it depends on the protocol.
        numbers: int32 (F,) of the frames in the video, from 0; None: 0, 1, ...
        meta: plain values worth keeping.

    Raises:
        HarError: arrays that do not fit together.
    """

    id: str
    times_s: NDArray[np.float64]
    joints: NDArray[np.float32]
    group: str = "all"
    label: str = ""
    split: str = ""
    numbers: NDArray[np.int32] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check shapes and times."""
        joints, times = np.shape(self.joints), np.asarray(self.times_s)
        if len(joints) != 4 or joints[-1] not in (2, 3, 4) or joints[:1] != times.shape:
            raise HarError(
                f"The clip {self.id!r} has joints of shape {joints} and times of shape "
                f"{times.shape}: (F, P, J, 2 to 4) and (F,) are expected."
            )
        if not self.id or not len(times) or not (np.diff(times) > 0).all():
            raise HarError(
                f"The clip {self.id!r} needs an id, frames, and times that ascend strictly."
            )


class FrameBatch(TypedDict):
    """N single frames with poses.

    - ``images``: uint8 RGB crops (N, H, W, 3);
    - ``gamma``: float32 (N, 3), the exponent of every color channel, applied on the device;
    - ``pose``: float32 (N, J, 4): x, y, z in [0, 1] of the crop, visibility 0 or 1;
    - ``action``: (N,) class indices; ``name``: the samples' ids;
    - ``tracked``: bool (N, J), the joints that errors in millimeters count;
    - ``affine``: float64 (N, 3, 3), pixels of the stored frames to [0, 1] of the crop;
    - ``root_depth_mm``, ``depth_scale``, ``frame_width``: what turns poses back into millimeters;
    - ``intrinsics``: float64 (N, 9) where the samples have cameras of their own.
    """

    images: Tensor
    gamma: Tensor
    pose: Tensor
    action: Tensor
    name: list[str]
    tracked: Tensor
    affine: Tensor
    root_depth_mm: Tensor
    depth_scale: Tensor
    frame_width: Tensor
    intrinsics: NotRequired[Tensor]


class ClipBatch(FrameBatch):
    """N clips of T frames: as :class:`FrameBatch`, with ``images`` (N, T, H, W, 3), ``pose``
    (N, T, J, 4) and ``tracked`` (N, T, J)."""


class PersonBatch(TypedDict, total=False):
    """N persons in single images, for training or, in V views each, for evaluation.

    Training: ``images`` uint8 RGB (N, H, W, 3); ``gamma`` (N, 3); ``pose`` (N, J, dim + 1);
    ``name``. Evaluation: ``images`` and ``pose`` with V views after N; ``affine`` float64
    (N, V, 3, 3), image pixels to the crop; ``flipped`` bool (N, V); ``joints_px`` float64
    (N, J, 2), ``valid`` and ``inside`` bool (N, J); ``length_px`` and ``area_px2`` float64 (N,);
    ``box_px`` float64 (N, 4); ``number`` (N,) of the persons in their data set; ``path`` of the
    images.
    """

    images: Tensor
    gamma: Tensor
    pose: Tensor
    name: list[str]
    affine: Tensor
    flipped: Tensor
    joints_px: Tensor
    valid: Tensor
    inside: Tensor
    length_px: Tensor
    box_px: Tensor
    area_px2: Tensor
    number: Tensor
    path: list[str]
