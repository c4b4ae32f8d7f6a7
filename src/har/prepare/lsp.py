"""``python -m har.prepare lsp``: both sets read, every photograph looked at once."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from har.data.lsp.files import find_joints, prepared_folder
from har.data.lsp.prepare import PrepareReport
from har.data.lsp.prepare import prepare_lsp as prepare
from har.prepare.samples import write_samples
from har.visual.terminal import make_table, progress_bar


def prepare_lsp(cfg: DictConfig) -> None:
    """Reads LSP's and LSP extended's files, and writes what a run needs."""
    data_dir = Path(cfg.paths.data_dir)
    with progress_bar("LSP photographs") as progress:
        report, _ = prepare(data_dir, workers=cfg.workers, progress=progress)
    folder = prepared_folder(find_joints(data_dir)[0])
    _print(report, folder)
    write_samples(folder, "lsp_pose", data_dir)


def _print(report: PrepareReport, folder: Path) -> None:
    table = make_table("LSP preparation", ["persons, photographs"], ["count"])
    table.add_column("for example", overflow="fold")
    for name, count in report.sets.items():
        title = {"lsp": "Leeds Sports Pose", "lspet": "LSP extended"}[name]
        table.add_row(title, f"{count:,}", "")
        table.add_row("  to train with, all 14 joints", f"{report.all_joints[name]:,}", "")
    table.add_row("persons to train with", f"{report.persons['train']:,}", "")
    table.add_row("test persons", f"{report.persons['test']:,}", "")
    table.add_row("not used: also in the test half", str(report.persons["unused"]), "")
    if report.without_torso:
        table.add_row("test persons without a torso, not scored", str(report.without_torso), "")
    found = {
        "left out: images missing": report.missing_images,
        "left out: images that cannot be read": report.unreadable_images,
        **report.notes,
    }
    for what, places in found.items():
        if places:
            table.add_row(what, str(len(places)), places[0])
    Console().print(
        table, f"persons.h5 and, with every name, prepare_report.json: {folder}", markup=False
    )
