"""Files that a repository is expected to have say the same as the package."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import har
from tests.helpers.lowest_versions import lowest_versions

ROOT = Path(__file__).parents[1]


def test_versions_are_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["version"] == citation["version"] == har.__version__
    assert citation["license"] == project["license"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_issue_templates_are_forms_of_github() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_*.yml"))
    assert len(forms) == 2
    for form in forms:
        content = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= content.keys()
        for part in content["body"]:
            assert part["type"] in ("textarea", "input", "markdown")
            key = "value" if part["type"] == "markdown" else "label"
            assert part["attributes"][key]


def test_the_changelog_is_as_keep_a_changelog_wants_it() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0].startswith("## [0.2.0]")
    kinds = {line for line in lines if line.startswith("### ")}
    assert kinds <= {
        f"### {kind}" for kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    }
    assert {"### Added", "### Changed"} <= kinds


def test_versions_of_make_install_are_in_the_ranges() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    entries = [*project["dependencies"], *(entry for extra in extras for entry in extra)]
    ranges = {(parsed := Requirement(entry)).name: parsed.specifier for entry in entries}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert len(ranges.keys() & pinned.keys()) > 20
    wrong = [name for name in ranges.keys() & pinned.keys() if pinned[name] not in ranges[name]]
    assert wrong == []


def test_the_oldest_versions_are_those_of_the_ranges() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = lowest_versions(text)
    assert {"torch", "numpy", "gradio"} <= versions.keys()
    assert not {"ruff", "zensical"} & versions.keys()
    for name, version in versions.items():
        assert f'"{name}>={version}' in text
    with pytest.raises(ValueError, match="numpy<3"):
        lowest_versions('[project]\ndependencies = ["numpy<3"]\n[project.optional-dependencies]\n')


def test_no_page_installs_the_other_project_named_har() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"pip3? install (-\S+ )*'?har\b", text), page
