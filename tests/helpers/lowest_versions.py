"""Prints the oldest versions that pyproject.toml allows, as constraints of pip: ``make lowest``."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LOWEST = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\d.]+)")


def lowest_versions(pyproject: str) -> dict[str, str]:
    """The oldest version of every package that is named in the text of a pyproject.toml.

    Packages of the extras ``dev`` and ``docs`` are tools, which no user installs with har.

    Raises:
        ValueError: a package without an oldest version, or with two.
    """
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    requirements = list(project["dependencies"])
    for name in extras.keys() - {"dev", "docs"}:
        requirements += extras[name]
    found: dict[str, str] = {}
    for requirement in requirements:
        lowest = _LOWEST.match(requirement)
        if lowest is None or found.get(lowest["name"], lowest["version"]) != lowest["version"]:
            raise ValueError(f"{requirement}: give one oldest version, as in 'name>=1.2'.")
        found[lowest["name"]] = lowest["version"]
    return found


if __name__ == "__main__":
    versions = lowest_versions((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    print("\n".join(f"{name}=={version}" for name, version in sorted(versions.items())))
