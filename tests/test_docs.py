"""Every command that the documentation prints is one that the program takes."""

import re
import shlex
from pathlib import Path

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig

from har.cli import rewrite_arguments
from har.prepare.tasks import TASKS
from har.runs.config import config_dir

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def commands(text: str) -> list[list[str]]:
    """Words behind ``python -m har.`` in code blocks and inline code."""
    text = re.sub(r"\\\n\s*", "", text)
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [" ".join(code.split()) for code in inline]
    found = []
    for line in lines:
        if "python -m har." in line:
            command = line[line.index("python -m har.") + len("python -m har.") :]
            command = (
                re.sub(r"<[^>]*>", "placeholder", command).replace("...", "").replace("$s", "1")
            )
            found.append(shlex.split(command, comments=True))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_compose(page: Path) -> None:
    for name, *words in commands(page.read_text(encoding="utf-8")):
        if "--help" in words:
            continue
        others = ("--cfg", "job", "-m", "config=placeholder")  # the command takes them itself
        words = [word.replace("=16,24", "=16") for word in words if word not in others]
        overrides = rewrite_arguments(words, has_task=name in ("prepare", "benchmark"))
        with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
            cfg = hydra.compose(name, overrides, return_hydra_config=True)
            HydraConfig.instance().set_config(cfg)
            task = cfg.get("task")
        if name == "prepare":
            assert task in TASKS, words


def test_the_pages_have_commands() -> None:
    found = [command for page in PAGES for command in commands(page.read_text(encoding="utf-8"))]
    assert {name for name, *_ in found} >= {"train", "evaluate", "predict", "prepare", "export"}
    assert len(found) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_repository_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?<![\w/])(?:tests|src|configs|docs)/[\w/]+\.\w+", text):
        assert (ROOT / name).is_file(), name
