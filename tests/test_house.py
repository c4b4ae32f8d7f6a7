"""Who may import whom: data flows one way through the rooms (docs/design.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "har"

# A room may import rooms of lower floors, and its own.
FLOORS = {
    "": 0,  # har itself: HarError
    "layouts": 1,
    "geometry": 1,
    "precision": 1,
    "data": 2,
    "models": 2,
    "losses": 2,
    "metrics": 2,
    "visual": 2,
    "modules": 3,
    "callbacks": 3,
    "inference": 4,
    "launch": 5,
    "report": 5,
    "progress": 5,
    "runs": 6,
    "prediction": 6,
    "evaluation": 7,
    "preparation": 6,
    "benchmarks": 6,
}
LAZY = {("", "inference")}  # imported by har only when somebody asks for har.Predictor
ENTRY_POINTS = {"train", "evaluate", "prepare", "convert", "predict", "export", "benchmark"}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return {room(name) for name in found if name == "har" or name.startswith("har.")}


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py").replace("__init__", "")
    for other in imports_of(path) - {own}:
        assert other not in ENTRY_POINTS, f"{path.name} imports the entry point {other}"
        if own in ENTRY_POINTS or (own, other) in LAZY:
            continue
        assert other in FLOORS, f"the room {other} has no floor in this test"
        allowed = FLOORS[other] < FLOORS[own] or (FLOORS[own] == 3 == FLOORS[other])
        assert allowed, f"{own} imports {other}"


def test_data_and_models_do_not_know_each_other() -> None:
    for path in FILES:
        relative = path.relative_to(SOURCE).parts
        if relative[0] in ("data", "models"):
            other = {"data": "models", "models": "data"}[relative[0]]
            assert other not in imports_of(path), path


def test_preparation_and_help_do_not_wait_for_torch() -> None:
    """Importing torch and Lightning takes seconds that extraction and --help do not need."""
    code = (
        "import sys, har, har.cli, har.layouts, har.geometry, har.data.ntu.prepare, "
        "har.synthetic.ntu, har.prepare.ntu, har.prepare.synthetic, "
        "har.prepare.mpii, har.prepare.actions, har.prepare.check; "
        "print([m for m in ('torch', 'pytorch_lightning', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
