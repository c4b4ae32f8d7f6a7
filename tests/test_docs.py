"""Every command that the documentation prints is one that the program takes, every link leads
somewhere, and every page and every public name is in the site."""

import re
import shlex
import tomllib
from pathlib import Path

import hydra
import pytest
from docs.tools.build import EXECUTED, FROM_TOP
from docs.tools.public_names import public_names, reference_page
from docs.tools.recipes import recipes_page
from hydra.core.hydra_config import HydraConfig

from har.cli import rewrite_arguments
from har.prepare.tasks import TASKS
from har.runs.config import config_dir

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
# Pages that the build writes, by their place in docs/.
MODULES = public_names(ROOT / "src")
WRITTEN = {
    DOCS / "recipes.md": recipes_page(ROOT / "configs" / "experiment"),
    **{DOCS / page: (ROOT / name).read_text("utf-8") for name, page in FROM_TOP.items()},
    **{
        DOCS / "reference" / f"{module}.md": reference_page(ROOT / "src", module, names)
        for module, names in MODULES.items()
    },
}
TEXTS = {
    **{page: page.read_text("utf-8") for page in PAGES},
    DOCS / "recipes.md": WRITTEN[DOCS / "recipes.md"],
}
BY_PAGE = pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))


def snippets(text: str) -> list[str]:
    """Lines of code blocks, and inline code."""
    text = re.sub(r"\\\n\s*", "", text)
    blocks = re.findall(r"```(?:sh|bash|text)\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line for block in blocks for line in block.splitlines()] + [
        " ".join(code.split()) for code in inline
    ]


def commands(text: str) -> list[list[str]]:
    """Words behind ``python -m har.`` in code blocks and inline code."""
    found = []
    for line in snippets(text):
        if "-m har." in line:
            command = line[line.index("-m har.") + len("-m har.") :]
            command = re.sub(r"<[^>]*>", "placeholder", command).replace("...", "")
            command = re.sub(r" \[(\w+=[^\]]*)\]", r" \1", command)  # may be left out
            command = re.sub(r"\$s\b|\$SLURM_ARRAY_TASK_ID", "1", command)
            found.append(shlex.split(command, comments=True))
    return found


@BY_PAGE
def test_commands_compose(page: Path) -> None:
    for name, *words in commands(TEXTS[page]):
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
    found = [command for text in TEXTS.values() for command in commands(text)]
    assert {name for name, *_ in found} >= {"train", "evaluate", "predict", "prepare", "export"}
    assert len(found) > 40


@BY_PAGE
def test_targets_of_make_are_there(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text("utf-8")))
    named = {
        m for line in snippets(TEXTS[page]) for m in re.findall(r"(?:^|&& )make ([a-z]+)", line)
    }
    assert named <= targets


def anchors(text: str) -> set[str]:
    """What links name headings by: lower case, hyphens for spaces, no punctuation."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    titles = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@BY_PAGE
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = re.sub(r"```.*?```", "", TEXTS[page], flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", text):
        file = (page.parent / target).resolve() if target else page
        assert file.exists() or file in WRITTEN, target
        if anchor:
            content = WRITTEN.get(file) or file.read_text("utf-8")
            assert anchor in anchors(content), f"{target}#{anchor}"


@BY_PAGE
def test_files_of_the_repository_that_a_page_names_exist(page: Path) -> None:
    for name in re.findall(r"(?<![\w/])(?:tests|src|configs|docs)/[\w/]+\.\w+", TEXTS[page]):
        assert (ROOT / name).is_file(), name


def pages_of(entry: object) -> list[str]:
    """The pages of a part of the site's navigation."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in pages_of(part)]  # type: ignore[attr-defined]


def test_the_site_has_every_page_and_no_other() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    listed = pages_of(settings["nav"])
    there = {*DOCS.rglob("*.md"), *WRITTEN}
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in there)


def test_tutorials_run_when_the_site_is_built_or_say_that_they_do_not() -> None:
    pages = {page.stem: page.read_text("utf-8") for page in (DOCS / "tutorials").glob("*.md")}
    marked = {name for name, text in pages.items() if "**Not run here.**" in text}
    assert set(EXECUTED) | marked == set(pages)
    assert not set(EXECUTED) & marked
