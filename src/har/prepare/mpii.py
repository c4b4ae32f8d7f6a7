"""``python -m har.prepare mpii``: annotations read, images looked at."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from har.data.mpii import prepare as prepared
from har.data.mpii.files import find_dataset_root
from har.prepare.samples import write_samples
from har.visual.terminal import make_table, progress_bar


def prepare_mpii(cfg: DictConfig) -> None:
    """Reads MPII's annotations, looks at every image once, and writes what a run needs."""
    root = find_dataset_root(Path(cfg.paths.data_dir))
    with progress_bar("MPII images") as progress:
        report = prepared.prepare_mpii(
            root, annotations=cfg.mpii.annotations, workers=cfg.workers, progress=progress
        )
    print_report(report, root / "prepared")
    write_samples(root / "prepared", "mpii_pose", Path(cfg.paths.data_dir))


def print_report(report: prepared.PrepareReport, folder: Path) -> None:
    """The table at the end: who can be used, and what is wrong with the others."""
    table = make_table("MPII preparation", ["persons, images"], ["count"])
    table.add_column("for example", overflow="fold")
    table.add_row("annotations", "", report.source)
    for split, what in (
        ("train", "persons to train with"),
        ("validation", "validation persons (Tompson et al.)"),
        ("neither", "others in validation images, not used"),
    ):
        table.add_row(what, str(report.persons[split]), "")
    if report.without_head_size:
        table.add_row("validation persons without head box", str(report.without_head_size), "")
    table.add_row("images with persons", str(report.images), "")
    table.add_row("of them checked now", str(report.checked), "")
    for what, names in (
        ("images missing", report.missing_images),
        ("images that cannot be read", report.unreadable_images),
    ):
        if names:
            shown = [*names[:3], "..."] if len(names) > 3 else names
            table.add_row(what, str(len(names)), ", ".join(shown))
    if report.persons_without_image:
        table.add_row("left out: persons in them", str(report.persons_without_image), "")
    for note, names in report.notes.items():
        kept = "(kept" in note
        table.add_row(note if kept else f"left out: {note}", str(len(names)), names[0])
    Console().print(
        table, f"persons.h5 and, with every name, prepare_report.json: {folder}", markup=False
    )
