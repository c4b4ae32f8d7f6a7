"""The weights that the package itself holds: they need no network access, and never change."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from har.errors import HarError

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {name: name for name in ("people-1", "people-2", "people-3", "people-4")}
    | {"people": "people-4"}
)
"""Name -> file. A file keeps its name and content for good; a name without a number means the
newest one. The wheel has the newest two, a checkout of the project all of them."""

DEFAULT = "people"
"""The network of every command that is given none: it finds a person in any picture or video."""


def built_in_names() -> list[str]:
    """The names in :data:`BUILT_IN` whose files are here."""
    return [name for name in BUILT_IN if _file(name).is_file()]


def built_in_file(name: str) -> Path:
    """The safetensors file of a name in :data:`BUILT_IN`.

    Raises:
        HarError: an old one, which is not in the installed package.
    """
    path = _file(name)
    if not path.is_file():
        raise HarError(
            f"The package that is installed here has the newest networks only, not {name}: take "
            f"src/har/weights/files/{path.name} from the project's repository or its source "
            "archive, and give that file."
        )
    return path


def _file(name: str) -> Path:
    return Path(str(resources.files("har.weights") / "files" / f"{BUILT_IN[name]}.safetensors"))
