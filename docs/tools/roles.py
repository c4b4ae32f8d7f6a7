"""For mkdocstrings: roles in docstrings become code, or links where the name has an entry."""

import re
from pathlib import Path
from typing import Any

import griffe
from docs.tools.public_names import entries

ROLE = re.compile(r":(?:class|func|meth|attr|data|mod|obj):`([^`]*)`")
ENTRIES = entries(Path(__file__).parents[2] / "src")


class Roles(griffe.Extension):
    """Rewrites the roles of all docstrings."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every object that griffe has read."""
        if obj.docstring is not None:
            text = ROLE.sub(_rewrite, obj.docstring.value)
            # griffe's name of a section of code that is shown as it would be typed
            obj.docstring.value = re.sub(r"(?m)^( *)Example:$", r"\1Examples:", text)


def _rewrite(role: re.Match[str]) -> str:
    name = role[1].removeprefix("~")
    shown = name.rsplit(".", 1)[-1] if role[1].startswith("~") else name
    return f"[`{shown}`][{ENTRIES[name]}]" if name in ENTRIES else f"`{shown}`"
