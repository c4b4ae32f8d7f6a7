"""The page of recipes: what every configuration in ``configs/experiment`` states at its top."""

import re
from pathlib import Path

import yaml

GROUPS = ("data", "model", "module")


def recipes_page(experiments: Path) -> str:
    """Markdown with a section for every experiment."""
    parts = [
        "# Recipes",
        "Every file in `configs/experiment` is a recipe, and every value of it can be changed from "
        "the command line ([configuration](index.md#change-anything)). What they reached: "
        "[results](results.md).",
        _table(experiments),
    ]
    parts += [_section(path) for path in sorted(experiments.glob("*.yaml"))]
    return "\n\n".join(parts) + "\n"


def _table(experiments: Path) -> str:
    rows = ["| recipe | data | network | training |", "| --- | --- | --- | --- |"]
    for path in sorted(experiments.glob("*.yaml")):
        chosen = _groups(path)
        cells = [f"`{chosen[group]}`" if group in chosen else "" for group in GROUPS]
        rows.append(f"| [`{path.stem}`](#{path.stem}) | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _groups(path: Path) -> dict[str, str]:
    """The files of the groups that a recipe takes, from the recipes that it includes too."""
    chosen: dict[str, str] = {}
    for entry in yaml.safe_load(path.read_text("utf-8")).get("defaults", []):
        if isinstance(entry, str):
            included = path.with_name(f"{entry}.yaml")
            chosen |= _groups(included) if included.is_file() else {}
        else:
            for key, name in entry.items():
                chosen[key.removeprefix("override /")] = name
    return chosen


def _section(path: Path) -> str:
    comment = re.match(r"(?:#.*\n)*", path.read_text("utf-8"))
    lines = [line.removeprefix("#").removeprefix(" ") for line in comment[0].splitlines()]  # type: ignore[index]
    lines = [line for line in lines if line and not line.startswith("@package")]
    commands = [line.strip() for line in lines if line.startswith("  ")]
    commands = [line if line.startswith(("python", "pip")) else f"# {line}" for line in commands]
    prose = " ".join(line for line in lines if not line.startswith("  "))
    prose = re.sub(r"docs/([\w/]+)\.md", r"[\1](\1.md)", prose)
    if not any("har.train" in command for command in commands):
        commands.append(f"python -m har.train experiment={path.stem}")
    return f"## {path.stem}\n\n{prose}\n\n```sh\n" + "\n".join(commands) + "\n```"
