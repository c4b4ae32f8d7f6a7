"""Cases of odd inputs with their right values, see ``expected.json`` of each."""

import json
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).resolve().parent.parent
CASE_03, CASE_04 = (_TESTS / "data" / "coco" / name for name in ("case_03", "case_04"))
CASE_10 = _TESTS / "metrics" / "case_10"


def read_case(case: Path, file: str = "expected.json") -> Any:
    """A JSON file of a case."""
    return json.loads((case / file).read_text(encoding="utf-8"))
