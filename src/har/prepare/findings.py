"""What is found in a data folder, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from rich.markup import escape
from rich.table import Table

from har.data.framestore.extraction import PrepareReport

OK, OPEN, BAD = "[green]ok[/]", "[yellow]-[/]", "[red]!![/]"


@dataclass
class Findings:
    """What is found out about one data set.

    Attributes:
        title: of its part of the table.
        prepare: the command that prepares it.
        rows: (mark, what, how much, remark).
        problems: sentences about what is damaged.
        following: the command to run next; None: nothing is left to do.
    """

    title: str
    prepare: str
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    following: str | None = None

    def add(self, mark: str, what: str, count: object, remark: str = "") -> None:
        """Adds a row; numbers get thousands separators."""
        text = f"{count:,}" if isinstance(count, int) else str(count)
        self.rows.append((mark, what, text, escape(remark)))

    def not_prepared(self, what: str) -> Findings:
        """These findings, with a row about what has to be prepared."""
        self.add(OPEN, f"prepared {what}", 0)
        self.following = self.prepare
        return self

    def bad(self, what: str, remark: str, problem: str) -> None:
        """Adds a row about damage, and the sentence for it."""
        self.add(BAD, what, "damaged", remark)
        self.problems.append(problem)


def findings_table(found: Sequence[Findings], data_dir: Path) -> Table:
    """All findings as one table."""
    table = Table(title=escape(f"data in {data_dir}"), title_justify="left", width=80)
    table.add_column("", width=2)
    table.add_column("what", overflow="fold", ratio=5)
    table.add_column("there", justify="right", overflow="fold", ratio=4)
    table.add_column("", overflow="fold", ratio=7)
    for findings in found:
        table.add_row("", f"[bold]{findings.title}[/]", "", "")
        for row in findings.rows:
            table.add_row(*row)
        table.add_section()
    return table


def folder_option(data_dir: Path) -> str:
    """The option of a command that names the data folder."""
    return f"paths.data_dir={quote(str(data_dir))}"


def add_left_out(table: Table, report: PrepareReport) -> None:
    """Adds the rows about what an extraction found unusual, and what it left out and why."""
    if report.warnings:
        name, remark = next(iter(report.warnings.items()))
        table.add_row("of these, unusual", str(len(report.warnings)), f"{name}: {remark}")
    for reason, names in report.skipped_by_reason().items():
        table.add_row(f"left out: {reason}", str(len(names)), names[0])
