"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import har

SOURCE = Path(har.__file__).parent
MODULES = [
    ".".join(("har", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def test_there_are_examples() -> None:
    assert "har.models.spnet" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str) -> None:
    module = importlib.import_module(name)
    # Names of the package that an example takes for granted.
    import torch

    results = doctest.testmod(module, extraglobs={"torch": torch})
    assert results.failed == 0
