"""Cases of odd inputs with their right values, see ``expected.json`` of each."""

import json
from pathlib import Path
from typing import Any

CASES = Path(__file__).resolve().parent.parent / "metrics" / "cases"


def read_case(name: str, file: str = "expected.json") -> Any:
    """A JSON file of a case."""
    return json.loads((CASES / name / file).read_text(encoding="utf-8"))
