"""A folder of own clips: ``root/<class>/<clip>.mp4``, and which clips train, validate and test.

Beside a clip may lie its skeletons, in NTU's format: ``<clip>.skeleton``. Lists ``train.txt``,
``val.txt`` and ``test.txt`` in the root name clips of a split, one a line; without lists the split
is drawn class by class.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from har.animation import is_video_inside
from har.data.records import SPLITS
from har.endings import IMAGE_ENDINGS, VIDEO_ENDINGS, ending_of
from har.errors import HarError
from har.files import file_checksum
from har.paths import check_path, is_file, is_folder

_PREPARED = "prepared"  # our own output, no class
_OF_SYSTEMS = ("Thumbs.db", "desktop.ini", ".DS_Store")  # and names with ._ before: nobody's data


class OwnClip(NamedTuple):
    """A clip as it lies in the folder.

    Attributes:
        file: path from the root, with ``/``; its first part is the class.
        num_bytes: of the video, and of its skeleton file (-1: there is none). A file that has
            changed is known by its size.
    """

    file: str
    num_bytes: tuple[int, int]

    @property
    def label(self) -> str:
        """Name of the class."""
        return self.file.partition("/")[0]

    @property
    def has_skeleton(self) -> bool:
        return self.num_bytes[1] >= 0

    def video(self, root: Path) -> Path:
        """The video below ``root``."""
        return root / self.file

    def skeleton(self, root: Path) -> Path | None:
        """The skeleton file below ``root``; None: there is none."""
        return (root / self.file).with_suffix(".skeleton") if self.has_skeleton else None


def find_clips(root: Path, left_out: dict[str, str] | None = None) -> list[OwnClip]:
    """All clips below the class folders, sorted by file; links are followed.

    Args:
        root: the folder.
        left_out: gets the files and folders that are no clips, by path from the root, and why; not
            those of operating systems, and beside the classes videos only.

    Raises:
        HarError: there is none, the folder cannot be read, it is NTU RGB+D's, or two classes differ
            only in how an accent is written.
    """
    check_path(root)
    if is_folder(root / "ntu"):
        raise HarError(
            f"{root / 'ntu'} is where NTU RGB+D is looked for: put own actions into a folder of "
            "their own, and give a class another name."
        )
    found: list[OwnClip] = []
    left_out = {} if left_out is None else left_out
    try:
        labels = sorted(os.listdir(root)) if is_folder(root) else []
    except OSError as error:
        raise HarError(f"The folder {root} cannot be read: {error.strerror}.") from error
    _check_accents(root, labels)
    for label in labels:
        if label in (_PREPARED, *(f"{split}.txt" for split in SPLITS)):
            continue
        if _of_system(label) and not is_folder(root / label):
            continue
        if label.startswith("."):
            left_out[label] = "hidden"
            continue
        if not is_folder(root / label):
            if not is_file(root / label):
                left_out[label] = _why_no_file(root / label)
            elif _is_video(root / label):
                left_out[label] = "in no class folder"
            continue
        before = len(found)
        for folder, files in _walk(root, label, left_out):
            paths = {name: Path(folder, name) for name in sorted(files)}
            sizes = {name: path.stat().st_size for name, path in paths.items() if is_file(path)}
            for name, path in paths.items():
                file = path.relative_to(root).as_posix()
                if _of_system(name):
                    continue
                if name.startswith("."):
                    left_out[file] = "hidden"
                elif name not in sizes:
                    left_out[file] = _why_no_file(path)
                elif not _is_video(path):
                    if ending_of(path) != ".skeleton" or not _has_video(path, sizes):
                        left_out[file] = f"no video ({ending_of(path) or 'no ending'})"
                else:
                    skeleton = sizes.get(f"{path.stem}.skeleton", -1)
                    if file.encode(errors="replace").decode() != file:
                        raise HarError(f"The name of the clip {file!a} is not UTF-8: rename it.")
                    found.append(OwnClip(file, (sizes[name], skeleton)))
        if len(found) == before:
            left_out.setdefault(label, "class without clips")
    if not found:
        raise HarError(
            f"No clips of own actions lie in {root.resolve()}: put them into a folder per class, "
            f"for example {root / 'waving' / 'clip 1.mp4'} (endings: "
            f"{' '.join(sorted(VIDEO_ENDINGS))})."
        )
    return found


def same_clips(root: Path, clips: Iterable[OwnClip]) -> list[list[OwnClip]]:
    """Clips whose videos hold the same bytes, each list two or more; empty videos are left out."""
    by_size: dict[int, list[OwnClip]] = {}
    for clip in clips:
        by_size.setdefault(clip.num_bytes[0], []).append(clip)
    by_content: dict[tuple[int, str], list[OwnClip]] = {}
    for size, group in by_size.items():
        for clip in group if size and len(group) > 1 else []:
            with suppress(OSError):  # reading it for its frames says why
                content = size, file_checksum(clip.video(root))
                by_content.setdefault(content, []).append(clip)
    return [group for group in by_content.values() if len(group) > 1]


def _check_accents(root: Path, labels: Iterable[str]) -> None:
    """Refuses two folders whose names differ only in how an accent is written: they would be two
    classes of one name."""
    seen: dict[str, str] = {}
    for label in filter(lambda label: is_folder(root / label), labels):
        first = seen.setdefault(_plain(label), label)
        if first != label:
            raise HarError(
                f"{root} has two folders {label}, {first!a} and {label!a}, whose names differ only "
                "in how accents are written: put their clips into one of them."
            )


def _walk(root: Path, label: str, left_out: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The folders of a class with their files, in a fixed order, along links; what is not entered
    is noted in ``left_out``."""

    def note(error: OSError) -> None:
        folder = Path(os.fsdecode(error.filename)).relative_to(root).as_posix()
        left_out[folder] = f"cannot be read ({error.strerror})"

    seen = {os.path.realpath(root), os.path.realpath(root / _PREPARED)}
    for folder, folders, files in os.walk(root / label, onerror=note, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            left_out[Path(folder).relative_to(root).as_posix()] = "a link to a folder that is read"
            folders.clear()
            continue
        seen.add(real)
        hidden = [name for name in folders if name.startswith(".")]
        left_out |= {Path(folder, n).relative_to(root).as_posix(): "hidden" for n in hidden}
        # links last: a folder that lies there itself is not called after a link to it
        folders[:] = sorted(
            (name for name in folders if not name.startswith(".")),
            key=lambda name: (os.path.islink(os.path.join(folder, name)), name),
        )
        yield folder, files


def _why_no_file(path: Path) -> str:
    """Why a name in a folder leads to no file."""
    try:
        path.stat()
    except FileNotFoundError:
        return "a link that leads nowhere"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "no file"


def _of_system(name: str) -> bool:
    return name in _OF_SYSTEMS or name.startswith("._")


def _is_video(path: Path) -> bool:
    ending = ending_of(path)
    return ending in VIDEO_ENDINGS or (ending in IMAGE_ENDINGS and is_video_inside(path))


def _has_video(skeleton: Path, names: Iterable[str]) -> bool:
    """Whether a video of the same name lies beside a skeleton file."""
    return any(Path(n).stem == skeleton.stem and n != skeleton.name for n in names)


def read_lists(root: Path) -> dict[str, list[str]]:
    """The lines of ``train.txt``, ``val.txt`` and ``test.txt``, as far as they are there.

    Raises:
        HarError: a list is no UTF-8 text.
    """
    lists = {}
    for split in SPLITS:
        path = root / f"{split}.txt"
        if not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise HarError(f"The list {path} is not a text file in UTF-8: {error}.") from error
        stripped = (line.strip() for line in lines)
        lists[split] = [line for line in stripped if line and not line.startswith("#")]
    return lists


def split_by_lists(
    files: Iterable[str], lists: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Splits by lists.

    A line is a clip's path from the root, with or without its ending. Where one of ``train`` and
    ``test`` has no list, all clips that no list names are it.

    Args:
        files: paths of the clips from the root.
        lists: lines by split.

    Returns:
        The split of every clip that has one, and the lines by split that name no clip.

    Raises:
        HarError: a clip in two lists, or lists that name no clip at all.
    """
    by_name: dict[str, list[str]] = {}
    for file in files:
        for name in {_plain(file), _plain(os.path.splitext(file)[0])}:
            by_name.setdefault(name, []).append(file)
    splits: dict[str, str] = {}
    unknown: dict[str, list[str]] = {}
    for split, lines in lists.items():
        for line in lines:
            named = by_name.get(_plain(line), [])
            if not named:
                unknown.setdefault(split, []).append(line)
            for file in named:
                if splits.setdefault(file, split) != split:
                    raise HarError(
                        f"The clip {file} is in two lists, {splits[file]}.txt and {split}.txt: "
                        "a clip belongs to one split."
                    )
    if not splits:
        line = next((line for lines in lists.values() for line in lines), "nothing")
        raise HarError(
            f"The lists {', '.join(f'{split}.txt' for split in lists)} name no clip that is there "
            f"({line!r}, for example): write paths from the root, such as 'waving/clip 1.mp4'."
        )
    rest = next((split for split in ("train", "test") if split not in lists), None)
    if rest is not None:
        splits = {file: splits.get(file, rest) for files in by_name.values() for file in files}
    return splits, unknown


def _plain(name: str) -> str:
    """A path as it is compared: one kind of slash, one way of writing an accent."""
    return unicodedata.normalize("NFC", name.replace("\\", "/").removeprefix("./"))


def split_by_shares(
    files: Iterable[str], test_share: float, val_share: float = 0.0, seed: int = 0
) -> dict[str, str]:
    """Splits drawn class by class; every class keeps at least one training clip.

    Args:
        files: paths of the clips from the root.
        test_share, val_share: parts of every class, 0 to 1; of two or more clips one tests, unless
            the share is 0.
        seed: of the draw, which depends on the files' names alone.

    Raises:
        HarError: shares that leave nothing to train on.
    """
    if min(test_share, val_share) < 0 or test_share + val_share >= 1:
        raise HarError(
            f"actions.test_share={test_share} and actions.val_share={val_share} have to be 0 or "
            "more, and together less than 1."
        )
    classes: dict[str, list[str]] = {}
    for file in files:
        classes.setdefault(file.partition("/")[0], []).append(file)
    splits = {}
    for members in classes.values():
        drawn = sorted(members, key=lambda file: (crc32(f"{seed}/{file}".encode()), file))
        left = len(drawn) - 1  # one stays in training
        num_test = min(left, max(1, round(test_share * len(drawn))) if test_share else 0)
        num_val = min(left - num_test, round(val_share * len(drawn)))
        for place, file in enumerate(drawn):
            in_test, in_val = place < num_test, place < num_test + num_val
            splits[file] = "test" if in_test else "val" if in_val else "train"
    return splits
