"""docs/design.md names every folder and top module of har, and nothing that is not there."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "har"
PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
OUTSIDE = {"configs/", "src/har/", "tests/", "docs/", "helpers/", "golden/"}


def packages() -> set[str]:
    """Folders with Python files, as ``data/ntu/``."""
    folders = {path.parent.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")}
    return {f"{folder}/" for folder in folders if folder != "."}


def named(pattern: str) -> set[str]:
    return set(re.findall(rf"(?<![\w./<>-]){pattern}(?![\w])", PAGE))


def test_every_folder_is_named_and_no_other() -> None:
    assert named(r"[\w/]+/") - OUTSIDE == packages()
    assert all((ROOT / name).is_dir() for name in OUTSIDE - {"helpers/", "golden/"})
    assert all((ROOT / "tests" / name).is_dir() for name in ("helpers", "golden"))


def test_every_module_beside_the_folders_is_named_and_no_other() -> None:
    modules = {path.name for path in SOURCE.glob("*.py")} - {"__init__.py"}
    files = named(r"[\w/]+\.py")
    assert {name for name in files if "/" not in name} - {"__main__.py"} == modules
    assert all((SOURCE / name).is_file() for name in files if "/" in name)


def test_the_page_follows_the_order_of_imports() -> None:
    """What import-linter allows to import is further down."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [c for c in settings["tool"]["importlinter"]["contracts"] if "layers" in c]
    floors = [re.split(r"[ :|]+", floor) for floor in reversed(contract["layers"])]
    tree = PAGE[PAGE.index("src/har/") : PAGE.index("```", PAGE.index("src/har/"))]
    places = [
        [re.search(rf"^\s*{name}(/|\.py)", tree, re.MULTILINE).start() for name in floor]  # type: ignore[union-attr]
        for floor in floors
    ]
    assert all(max(low) < min(high) for low, high in pairwise(places))
