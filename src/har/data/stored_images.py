"""The images of a data set, each decoded once before it is used.

A journal gets a line per good image as soon as it was checked, so that a preparation that was
stopped goes on, and one that is repeated checks new files only.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from har.data.processes import run_in_processes
from har.errors import HarError
from har.files import read_stored_image

_FEW_IMAGES = 100  # are checked sooner than processes are started


def check_image(name: str, images_dir: str) -> tuple[str, str]:
    """An image's name, and what is wrong with it: nothing, ``missing`` or ``damaged``."""
    path = Path(images_dir, name)
    if not path.is_file():
        return name, "missing"
    try:
        read_stored_image(path)
    except HarError:
        return name, "damaged"
    return name, ""


def _damaged(name: str) -> tuple[str, str]:
    return name, "damaged"  # so much that it killed the process


def check_images(
    names: list[str],
    images_dir: Path,
    journal: Path,
    workers: int,
    progress: Callable[..., None] | None,
) -> tuple[dict[str, str], int]:
    """Decodes the images that no earlier call found good.

    Args:
        names: of the images, relative to their folder.
        images_dir: the folder.
        journal: the file of good images, with size and time of each.
        workers: processes.
        progress: called as ``progress(done, total, errors=...)`` after every image.

    Returns:
        What is wrong with images (``missing`` or ``damaged``) by name, sorted; and how many were
        checked this time.
    """
    good = _good_images(journal)
    new = [name for name in names if good.get(name, []) != file_stamp(images_dir / name)]
    problems: dict[str, str] = {}
    check = partial(check_image, images_dir=str(images_dir))
    results = run_in_processes(check, new, _damaged, workers if len(new) > _FEW_IMAGES else 0)
    with journal.open("a", encoding="utf-8") as file:
        for done, (name, problem) in enumerate(results, start=len(names) - len(new) + 1):
            if problem:
                problems[name] = problem
            else:
                file.write(json.dumps([name, file_stamp(images_dir / name)]) + "\n")
                file.flush()
            if progress is not None:
                progress(done, len(names), errors=len(problems))
    return dict(sorted(problems.items())), len(new)


def file_stamp(path: Path) -> list[int] | None:
    """Size and time of a file: another stamp, another file; None where there is none."""
    with suppress(OSError):
        status = path.stat()
        return [status.st_size, status.st_mtime_ns]
    return None


def _good_images(journal: Path) -> dict[str, list[int]]:
    """Images that an earlier preparation could read, with size and time of their files."""
    found: dict[str, list[int]] = {}
    if journal.is_file():
        for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, TypeError):  # where an earlier preparation was stopped
                name, stamp = json.loads(line)
                found[name] = stamp
    return found
