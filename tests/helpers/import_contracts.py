"""A contract for import-linter: no file imports itself by way of others.

``acyclic_siblings`` compares what lies side by side, so it misses a file that imports from the
``__init__`` of its own package while that ``__init__`` imports the file.
"""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output


class FileCircles(Contract):
    """Broken by every circle of imports between files."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        circles: list[tuple[str, ...]] = []
        seen: set[str] = set()
        for module in sorted(graph.modules):
            if module in seen:
                continue
            # What it imports and what imports it: both, for those on a circle with it.
            around = graph.find_upstream_modules(module) & graph.find_downstream_modules(module)
            if around:
                seen |= around
                other = min(around - {module})
                there: Any = graph.find_shortest_chain(module, other)
                back: Any = graph.find_shortest_chain(other, module)
                circles.append((*there, *back[1:]))
        return ContractCheck(kept=not circles, metadata={"circles": circles})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for circle in check.metadata["circles"]:
            output.print_error("- " + " -> ".join(circle))
