"""The weights that the package itself holds: they need no network access, and never change."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {name: name for name in ("people-1", "people-2", "people-3")} | {"people": "people-3"}
)
"""Name -> file. A file keeps its name and content for good; a name without a number means the
newest one."""

DEFAULT = "people"
"""The network of every command that is given none: it finds a person in any picture or video."""


def built_in_file(name: str) -> Path:
    """The safetensors file of a name in :data:`BUILT_IN`."""
    file = resources.files("har.weights") / "files" / f"{BUILT_IN[name]}.safetensors"
    return Path(str(file))
