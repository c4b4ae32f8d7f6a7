"""The public names of the package, read from its files without importing it."""

import ast
from pathlib import Path

OLD_PATHS = ("har.models.weights",)  # for programs outside; their names are documented elsewhere
# Modules without ``__all__`` whose names the documentation uses.
BESIDE = {
    "har.data.records": ("Clip", "Person", "PersonSet"),
    "har.errors": ("HarError", "DatasetNotFoundError"),
    "har.layouts": ("Layout", "get_layout"),
    "har.losses": ("pose_loss", "heat_map_loss", "action_loss"),
    "har.models.base": ("PoseNetwork", "NetworkOutput", "FrameOutput", "FrameFeatures"),
    "har.models.spec": ("ModelSpec",),
    "har.prediction.prediction": ("Prediction",),
    "har.prediction.results": ("Poses", "Actions", "TopAction"),
    "har.prediction.stream": ("PredictionStream",),
    "har.runtime.loading": ("load_engine",),
    "har.video": ("Video", "Frame"),
}


def public_names(source: Path) -> dict[str, list[str]]:
    """The names in ``__all__`` by module, and those of :data:`BESIDE`.

    Args:
        source: the folder ``src``.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(source.rglob("__init__.py")):
        module = ".".join(path.parent.relative_to(source).parts)
        for node in ast.parse(path.read_text("utf-8")).body:
            names = getattr(node, "targets", [None])[0]
            if isinstance(names, ast.Name) and names.id == "__all__" and module not in OLD_PATHS:
                found[module] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
    return {**found, **{module: list(names) for module, names in BESIDE.items()}}


def entry_of(source: Path, module: str, name: str) -> str:
    """What a name is called in the reference: a module of the same name hides a function."""
    hidden = source.joinpath(*module.split("."), f"{name}.py").is_file()
    return f"{module}.{name}.{name}" if hidden else f"{module}.{name}"


def entries(source: Path) -> dict[str, str]:
    """What a name is called in the reference, by the paths under which docstrings name it: that
    of the module which defines it and that from which it is imported."""
    found = {}
    for module, names in public_names(source).items():
        folder = source.joinpath(*module.split("."))
        path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        origins = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for name in names:
            entry = entry_of(source, module, name)
            for called in (f"{module}.{name}", origins.get(name), entry):
                if called is not None:
                    found.setdefault(called, entry)
    return found


def reference_page(source: Path, module: str, names: list[str]) -> str:
    """The Markdown from which mkdocstrings makes the page of a module."""
    folder = source.joinpath(*module.split("."))
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    summary = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n\n")[0]
    blocks = [f"::: {entry_of(source, module, name)}" for name in names]
    return "\n\n".join([f"# {module}", summary, *blocks]) + "\n"
