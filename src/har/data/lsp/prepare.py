"""Preparing LSP: both ``joints.mat`` read, every photograph decoded once, the rest in one file."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from har.data.lsp.files import LSPError, prepared_folder
from har.data.lsp.reader import PERSONS, read_files
from har.data.person_file import write_persons
from har.data.records import PersonSet
from har.data.stored_images import check_images
from har.files import whole_file


@dataclass
class PrepareReport:
    """What :func:`prepare_lsp` found; written as ``prepare_report.json``.

    Attributes:
        sets: persons in the files of LSP and LSP extended.
        persons: usable ones by split; ``unused``: those that are test photographs as well.
        all_joints: training persons of each set with all 14 joints.
        without_torso: test persons that PCK cannot score.
        missing_images, unreadable_images: their names.
        notes: what else was found odd, and where.
    """

    sets: dict[str, int]
    persons: dict[str, int]
    all_joints: dict[str, int]
    without_torso: int
    missing_images: list[str] = field(default_factory=list)
    unreadable_images: list[str] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)


def prepare_lsp(
    data_dir: Path, *, workers: int = 2, progress: Callable[..., None] | None = None
) -> tuple[PrepareReport, PersonSet]:
    """Reads the official files, decodes every photograph and writes ``persons.h5``.

    Args:
        data_dir: the folder of the data, or one that has it in ``lsp/``.
        workers: processes.
        progress: called as ``progress(done, total, errors=...)`` after every photograph.

    Returns:
        The report, and the persons that can be used.

    Raises:
        DatasetNotFoundError: there is no ``joints.mat``.
        LSPError: one that cannot be used, or no photograph that can be read.
    """
    files = read_files(data_dir)
    output = prepared_folder(files.root)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LSPError(f"{output} cannot be made: {error.strerror}.") from error
    names = [name.decode() for name in files.persons.rows["image"].tolist()]
    journal = output / "checked_images.jsonl"
    problems, _ = check_images(names, files.root, journal, workers, progress)
    if len(problems) == len(names):
        raise LSPError(f"None of the {len(names)} photographs of {files.root} can be read.")
    persons = files.persons[~np.isin(names, list(problems))]
    write_persons(output / PERSONS, persons)
    rows = persons.rows
    training = persons.of_split("train").rows
    complete = training[np.isfinite(training["joints_px"]).all((1, 2))]
    report = PrepareReport(
        sets=files.counts,
        persons={
            split or "unused": int((rows["split"] == split.encode()).sum())
            for split in ("train", "test", "")
        },
        all_joints={
            name: int(np.char.startswith(complete["id"], f"{name}/".encode()).sum())
            for name in files.counts
        },
        without_torso=int((~(persons.of_split("test").rows["length_px"] > 0)).sum()),
        missing_images=[name for name, problem in problems.items() if problem == "missing"],
        unreadable_images=[name for name, problem in problems.items() if problem != "missing"],
        notes=files.notes,
    )
    with whole_file(output / "prepare_report.json") as path:
        path.write_text(json.dumps(asdict(report), indent=1), encoding="utf-8")
    return report, persons
