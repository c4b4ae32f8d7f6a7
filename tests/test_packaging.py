"""Files that a repository is expected to have say the same as the package."""

import tomllib
from pathlib import Path

import yaml

import har

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
