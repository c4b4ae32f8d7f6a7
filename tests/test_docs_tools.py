"""What builds the documentation: tutorials that run, the reference, checks of the built site."""

import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from docs.tools.check import check_site
from docs.tools.public_names import (
    BESIDE,
    OLD_PATHS,
    entries,
    entry_of,
    public_names,
    reference_page,
)
from docs.tools.recipes import recipes_page
from docs.tools.tutorials import MOST_LINES, WIDEST, TutorialError, run_page, tidy

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


def run(tmp_path: Path, text: str) -> str:
    page = tmp_path / "page.md"
    page.write_text(text)
    return run_page(page, tmp_path / "run", tmp_path / "images")[0]


def test_what_a_tutorial_prints_stands_below_its_commands(tmp_path: Path) -> None:
    text = (
        "# T\n\n```sh\necho one > file; cat file\n```\n\nText.\n\n"
        "```python\nprint(open('file').read() * 2)\n```\n\n```text\nnot run\n```\n"
    )
    printed = run(tmp_path, text)
    assert "cat file\n```\n\n```text\none\n```\n\nText." in printed
    assert "* 2)\n```\n\n```text\none\none\n```\n" in printed
    assert printed.count("not run") == 1


def test_pictures_are_those_of_their_place_in_the_page(tmp_path: Path) -> None:
    page = (
        "```sh\necho a > p.png\n```\n\n<!-- picture: p.png | first -->\n\n"
        "```sh\nmv p.png q.mp4\n```\n\n<!-- picture: *.mp4 | second -->\n"
    )
    printed = run(tmp_path, page)
    assert "![first](../images/page_p.png)" in printed
    assert '<video src="../images/page_q.mp4"' in printed
    assert {path.name for path in (tmp_path / "images").iterdir()} == {"page_p.png", "page_q.mp4"}


def test_large_pictures_are_shrunk(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    cv2.imwrite(str(tmp_path / "run" / "p.png"), np.zeros((100, 2 * WIDEST, 3), np.uint8))
    assert "](../images/page_p.jpg)" in run(tmp_path, "<!-- picture: p.png | large -->\n")
    assert cv2.imread(str(tmp_path / "images" / "page_p.jpg")).shape == (50, WIDEST, 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```sh\nfalse | cat\necho on\n```\n", "this block has failed"),
        ("```sh\necho $not_set\n```\n", "not_set"),
        ("```python\nraise ValueError('reason')\n```\n", "reason"),
        ("<!-- picture: none.png | nothing -->\n", "none.png"),
    ],
)
def test_a_tutorial_that_fails_ends_the_build(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(TutorialError, match=told):
        run(tmp_path, text)


def test_outputs_are_without_progress_and_not_too_long() -> None:
    assert tidy("\x1b[1mtable\x1b[0m \npictures: 3/9\n10 %\r100 %\n\n") == "table\n100 %"
    long = tidy("\n".join(map(str, range(1000)))).splitlines()
    assert len(long) == MOST_LINES + 1
    assert long[-1] == "999"


def test_public_names_are_those_that_modules_export() -> None:
    exported = {}
    for path in SOURCE.rglob("__init__.py"):
        name = ".".join(path.parent.relative_to(SOURCE).parts)
        if name not in OLD_PATHS and "__all__" in path.read_text("utf-8"):
            exported[name] = importlib.import_module(name).__all__
    assert public_names(SOURCE) == {**exported, **{m: list(n) for m, n in BESIDE.items()}}
    assert "har.metrics" in exported


def test_every_public_name_is_there_and_has_an_entry() -> None:
    for module, names in public_names(SOURCE).items():
        page = reference_page(SOURCE, module, names).splitlines()
        for name in names:
            assert hasattr(importlib.import_module(module), name)
            assert f"{module}.{name}" in entries(SOURCE)
            assert f"::: {entry_of(SOURCE, module, name)}" in page
    # the module of that name would be shown in place of the function
    assert entries(SOURCE)["har.metrics.average_precision"].endswith("precision.average_precision")
    assert entries(SOURCE)["har.models.spnet.SPNet"] == "har.models.SPNet"


def test_roles_of_docstrings_become_links() -> None:
    pytest.importorskip("griffe")
    from docs.tools.roles import ROLE, _rewrite

    text = "See :class:`~har.models.spnet.SPNet`, :func:`har.losses.pose_loss` and :meth:`run`."
    assert ROLE.sub(_rewrite, text) == (
        "See [`SPNet`][har.models.SPNet], [`har.losses.pose_loss`][har.losses.pose_loss] and `run`."
    )


def test_recipes_are_the_files_of_configs() -> None:
    page = recipes_page(ROOT / "configs" / "experiment")
    for path in (ROOT / "configs" / "experiment").glob("*.yaml"):
        assert f"\n## {path.stem}\n" in page
    assert (
        "| [`demo_short`](#demo_short) | `ntu_multitask` | `spnet_ntu` | `multitask_quick` |"
        in page
    )


def test_a_broken_site_is_told_about(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text('<h2 id="here"></h2><a href="../a.html#top">')
    page = '<h1 id="top"></h1><a href="sub#here">{}'
    (tmp_path / "a.html").write_text(page.format(""))
    assert check_site(tmp_path, ["top"]) == []
    wrong = {
        '<a href="gone.html">': "gone.html",
        '<a href="sub/index.html#gone">': "#gone",
        '<img src="gone.png">': "gone.png",
        '<script src="https://cdn.example.org/x.js"></script>': "another host",
        '<link rel="stylesheet" href="//fonts.example.org/css">': "another host",
    }
    for html, told in wrong.items():
        (tmp_path / "a.html").write_text(page.format(html))
        (sentence, *others) = check_site(tmp_path)
        assert told in sentence
        assert not others
    (tmp_path / "a.html").write_text(page.format(""))
    assert check_site(tmp_path, ["har.SPNet"]) == ["The reference has no entry of har.SPNet."]
