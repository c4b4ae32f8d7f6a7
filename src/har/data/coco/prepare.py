"""Preparing pictures with COCO key points: files read, pictures decoded, persons stored."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from har.data.coco.document import COCOError, Document, Notes, identity, note, read_document
from har.data.coco.persons import (
    is_two_corners,
    person_area,
    person_box,
    read_box,
    read_labels,
)
from har.data.coco.pictures import (
    ENDINGS,
    PictureCheck,
    PictureFolder,
    check_pictures,
    find_pictures,
)
from har.data.coco.skeleton import FlipPairs, Skeleton, find_skeleton, mirroring
from har.data.person_file import read_persons, write_persons
from har.data.records import SPLITS, Person, PersonSet
from har.errors import DatasetNotFoundError
from har.files import whole_file

FOLDER, _PERSONS = "own_poses", "persons.h5"
_REASONS = 3  # that an error names
_LOST_WITH_PICTURE = "left out: persons in pictures that cannot be used"


@dataclass
class PrepareReport:
    """What :func:`prepare_persons` found; written as ``prepare_report.json``.

    Attributes:
        files: the annotations by split.
        joints: persons in which each joint is labeled, by name.
        mirroring: what is known of left and right.
        persons: usable ones by split; ``negatives``: pictures without anybody, by split.
        pictures: how many are used.
        notes: what was found odd, and where.
    """

    files: dict[str, str]
    joints: dict[str, int]
    mirroring: str
    persons: dict[str, int]
    negatives: dict[str, int]
    pictures: int
    notes: Notes = field(default_factory=dict)


@dataclass
class _Split:
    """A file of annotations with its pictures."""

    name: str
    document: Document
    skeleton: Skeleton
    files: dict[str, str]  # by the id of a picture

    def candidates(self) -> list[str]:
        """Files of pictures that are decoded: all but those without a joint of the skeleton."""
        entries = self.document.annotations
        annotated = {identity(entry.get("image_id")) for entry in entries}
        people = {identity(entry.get("image_id")) for entry in entries if self.is_person(entry)}
        return [file for key, file in self.files.items() if key in people or key not in annotated]

    def is_person(self, entry: Mapping[str, Any]) -> bool:
        """Whether an annotation is of the skeleton's category; a single one need not be named."""
        key = identity(entry.get("category_id"))
        return key in self.skeleton.categories or (not key and len(self.document.categories) == 1)


def prepare_persons(
    images: Path,
    annotations: Mapping[str, Path],
    output: Path,
    *,
    category: str | None = None,
    flip_pairs: FlipPairs | None = None,
    any_size: bool = False,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> tuple[PrepareReport, PersonSet]:
    """Reads annotations, decodes every picture once, and writes what a run needs.

    Args:
        images: folder of the pictures, which stay where they are.
        annotations: the files by split, ``train`` among them.
        output: gets ``persons.h5`` and ``prepare_report.json``.
        category, flip_pairs: see :func:`har.data.coco.skeleton.find_skeleton`.
        any_size: use pictures of another size than the annotations state as well.
        workers: processes.
        progress: called as ``progress(done, total, errors=...)`` after every picture.

    Returns:
        The report, and the persons that can be used; those of pictures without anybody have no
        joint.

    Raises:
        COCOError: a file that cannot be used, several skeletons, or no person that can be used.
    """
    notes: Notes = {}
    splits = _read_splits(annotations, PictureFolder(images), category, flip_pairs, notes)
    files = list(dict.fromkeys(file for split in splits for file in split.candidates()))
    checks = check_pictures(files, images, workers, progress)
    views = _Views(checks, _upright_by_default(splits, checks), any_size, notes)
    layout = splits[0].skeleton.layout
    persons: list[Person] = []
    for split in reversed(splits):  # a picture in two files belongs to the later one
        taken = {person.image for person in persons}
        own = list(_persons(split, views, notes))
        for person in own:
            if person.image in taken:
                what = f"left out of {split.name}: the picture is in a later file as well"
                note(notes, what, person.image)
        persons = [person for person in own if person.image not in taken] + persons
    _check_left(persons, annotations, notes)
    source = f"COCO key points of {layout.name}"
    found = replace(
        PersonSet.of(_with_own_ids(persons), images, layout, source), unlabeled="unknown"
    )
    write_persons(output / _PERSONS, found)
    labeled = np.isfinite(found.rows["joints_px"]).all(-1)  # (N, J)
    parts = [found.rows["split"] == split.encode() for split in SPLITS]
    report = PrepareReport(
        files={split: str(path) for split, path in annotations.items()},
        joints=dict(zip(layout.joints, labeled.sum(0).tolist(), strict=True)),
        mirroring=mirroring(layout),
        persons={n: int(labeled[p].any(-1).sum()) for n, p in zip(SPLITS, parts, strict=True)},
        negatives={n: int((~labeled[p].any(-1)).sum()) for n, p in zip(SPLITS, parts, strict=True)},
        pictures=len(np.unique(found.rows["image"])),
        notes=notes,
    )
    with whole_file(output / "prepare_report.json") as path:
        path.write_text(json.dumps(asdict(report), indent=1), encoding="utf-8")
    return report, found


def _read_splits(
    annotations: Mapping[str, Path],
    folder: PictureFolder,
    category: str | None,
    flip_pairs: FlipPairs | None,
    notes: Notes,
) -> list[_Split]:
    """The files of annotations, with the same joints, and their pictures."""
    splits: list[_Split] = []
    for name, path in annotations.items():
        document = read_document(path, notes)
        skeleton = find_skeleton(document, category, flip_pairs)
        first = splits[0].skeleton.layout.joints if splits else skeleton.layout.joints
        if skeleton.layout.joints != first:
            raise COCOError(
                f"{path} has the joints {', '.join(skeleton.layout.joints)}, and "
                f"{splits[0].document.path} has {', '.join(first)}: the files need the same "
                "skeleton, in the same order."
            )
        found = find_pictures(list(document.pictures.values()), folder, notes)
        splits.append(_Split(name, document, skeleton, found))
    listed = {file for split in splits for file in split.files.values()}
    named = {file for s in splits for p in s.document.pictures.values()
             for file in folder.find(p.file_name)}  # fmt: skip
    for file in folder.files:
        if file.lower().endswith(ENDINGS) and file not in listed | named:
            note(notes, "in the folder, but not in the annotations (not used)", file)
    return splits


def _upright_by_default(splits: list[_Split], checks: Mapping[str, PictureCheck]) -> bool:
    """What is meant where a turned picture has the same size either way: what most others mean,
    else the upright one, which is what annotation tools show."""
    votes = Counter(
        checks[file].means_upright(split.document.pictures[key].size)
        for split in splits
        for key, file in split.files.items()
        if file in checks and checks[file].turns
    )
    return votes[True] >= votes[False]


@dataclass(frozen=True)
class _Views:
    """Which picture is meant, upright or as stored, and whether it can be used."""

    checks: Mapping[str, PictureCheck]
    upright: bool  # where its size does not say
    any_size: bool
    notes: Notes

    def of(self, file: str, stated: tuple[int, int]) -> tuple[bool, tuple[int, int]] | None:
        """Whether the upright picture is meant, and its size; None: it cannot be used."""
        check = self.checks.get(file)
        if check is None:
            return None
        if check.problem:
            note(self.notes, f"left out: the picture {check.problem}", file)
            return None
        if check.remark:
            note(self.notes, f"the picture {check.remark} (used)", file)
        turned, meant = check.turns, check.means_upright(stated)
        if check.turns and meant is None:
            turned = self.upright
            how = "as viewers turn it" if turned else "as it is stored"
            what = f"turned by EXIF, and its size does not say how: taken {how}"
            note(self.notes, what, file)
        elif check.turns:
            turned = bool(meant)
        size = check.upright if turned else check.stored
        if min(stated) > 0 and not check.fits(stated):
            what = "the picture has another size than the annotations state"
            what = f"{what} (used: any_size)" if self.any_size else f"left out: {what}"
            place = f"{file}: {size[0]}x{size[1]}, stated {stated[0]}x{stated[1]}"
            note(self.notes, what, place)
            if not self.any_size:
                return None
        return turned, size


def _persons(split: _Split, pictures: _Views, notes: Notes) -> Iterator[Person]:
    """The persons of a file, then its pictures without anybody."""
    document, layout = split.document, split.skeleton.layout
    found = {key: pictures.of(f, document.pictures[key].size) for key, f in split.files.items()}
    views = {key: view for key, view in found.items() if view is not None}
    read = []
    seen: set[str] = set()
    for entry in document.annotations:
        key = identity(entry.get("image_id"))
        place = f"annotation {identity(entry.get('id')) or 'without an id'}"
        if key not in document.pictures:
            what = "left out: annotations of images that the file does not list"
            note(notes, what, f"{place} (image {key})")
            continue
        place = f"{place} ({document.pictures[key].file_name})"
        if not split.is_person(entry):
            named = document.categories.get(identity(entry.get("category_id")), {})
            note(notes, f"left out: of the category {named.get('name', 'of no name')}", place)
        elif _is_crowd(entry, place, notes):
            note(notes, "left out: a crowd, not a person", place)
        elif key not in views:
            note(notes, _LOST_WITH_PICTURE, place)
        else:
            labels = read_labels(entry, layout, views[key][1], place, notes)
            if labels is not None and not len(labels.labeled_px):
                note(notes, "left out: no joint is labeled (nor is it an empty picture)", place)
            elif labels is not None and (same := _what_is_labeled(key, entry)) in seen:
                note(notes, "left out: the same joints and box as another annotation", place)
            elif labels is not None:
                seen.add(same)
                read.append((key, place, entry, labels, read_box(entry)))
    corners = [
        None if box is None else is_two_corners(box, labels, views[key][1])
        for key, _, _, labels, box in read
    ]
    always = True in corners and False not in corners  # then also where both would be possible
    for (key, place, entry, labels, box), is_corners in zip(read, corners, strict=True):
        turned, size = views[key]
        if box is not None and (is_corners or (always and is_corners is None)):
            note(
                notes,
                "bbox is two corners (x + width or y + height leaves the picture; used as such)",
                place,
            )
        elif box is not None:
            box = np.concatenate([box[:2], box[:2] + box[2:]])
        box = person_box(box, labels, size, place, notes)
        center, window = Person.around(box)
        yield Person(
            id=f"{split.files[key]}, annotation {identity(entry.get('id'))}",
            image=split.files[key],
            joints_px=labels.joints_px,
            center_px=center,
            window_px=window,
            split=split.name,
            visible=labels.visible,
            box_px=box,
            area_px2=person_area(entry, box),
            upright=turned,
        )
    annotated = {identity(entry.get("image_id")) for entry in document.annotations}
    for key, (turned, size) in views.items():
        if key not in annotated:
            box = np.array([0, 0, *size], dtype=np.float64)
            center, window = Person.around(box)
            yield Person(
                id=f"{split.files[key]}, nobody",
                image=split.files[key],
                joints_px=np.full((layout.num_joints, 2), np.nan),
                center_px=center,
                window_px=window,
                split=split.name,
                box_px=box,
                upright=turned,
            )


def _what_is_labeled(key: str, entry: Mapping[str, Any]) -> str:
    """The same text for the same joints and box in the same picture: of one person."""
    return json.dumps([key, entry.get("keypoints"), entry.get("bbox")])


def _is_crowd(entry: Mapping[str, Any], place: str, notes: Notes) -> bool:
    """Whether an annotation is of a crowd: ``iscrowd`` says something else than no."""
    value = entry.get("iscrowd")
    text = str(value).strip().lower()
    if text in ("0", "0.0", "false", "no", "none", "null", ""):
        return False
    if text not in ("1", "1.0", "true", "yes"):
        note(notes, "iscrowd is not 0 or 1 (taken for a crowd)", f"{place}: {value!r:.20}")
    return True


def _with_own_ids(persons: list[Person]) -> list[Person]:
    """The same persons; an id that occurs again gets a number."""
    seen: Counter[str] = Counter()
    found = []
    for person in persons:
        seen[person.id] += 1
        count = seen[person.id]
        found.append(person if count == 1 else replace(person, id=f"{person.id} ({count})"))
    return found


def _check_left(persons: list[Person], annotations: Mapping[str, Path], notes: Notes) -> None:
    """Raises a sentence with the commonest reasons where nobody is left to train with."""
    if any(p.split == "train" and np.isfinite(p.joints_px).any() for p in persons):
        return
    lost = {w: p for w, p in notes.items() if w.startswith("left out") and w != _LOST_WITH_PICTURE}
    lost = lost or {w: p for w, p in notes.items() if "not used" in w}
    most = sorted(lost.items(), key=lambda item: -len(item[1]))[:_REASONS]
    reasons = "; ".join(
        f"{len(places)} x {what.removeprefix('left out: ')} ({places[0]})" for what, places in most
    )
    raise COCOError(
        f"No person of {annotations['train']} can be trained with: "
        f"{reasons or 'no annotation has a labeled joint'}."
    )


def open_prepared(data_dir: Path) -> PersonSet:
    """What ``python -m har.prepare persons`` wrote below ``data_dir``.

    Raises:
        DatasetNotFoundError: it has not run.
        HarError: what it wrote is damaged.
    """
    path = data_dir / FOLDER / _PERSONS
    if not path.is_file():
        path = data_dir / _PERSONS
    if not path.is_file():
        raise DatasetNotFoundError(
            f"No own pictures are prepared in {data_dir.resolve()}: run `python -m har.prepare "
            f"persons images=<folder> annotations=<json> paths.data_dir={data_dir}`."
        )
    persons = read_persons(path)
    if not persons.images_dir.is_dir():
        raise DatasetNotFoundError(
            f"The pictures of {path} are no longer in {persons.images_dir}: run `python -m "
            "har.prepare persons images=<folder> annotations=<json>` once more."
        )
    return persons
