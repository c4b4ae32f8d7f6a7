"""``python -m har.app`` with a network that sees red persons, in a process of its own.

Every address that the process connects to, or looks up, is a line of ``connections.txt``."""

import socket
import sys
from pathlib import Path
from typing import Any

import har.runtime.loading
from tests.helpers.red_person import red_engine

_LOG = Path("connections.txt")


def _note(address: Any) -> None:
    with _LOG.open("a", encoding="utf-8") as file:
        file.write(f"{address}\n")


class _Socket(socket.socket):
    def connect(self, address: Any) -> None:
        _note(address[0] if isinstance(address, tuple) else address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        _note(address[0] if isinstance(address, tuple) else address)
        return super().connect_ex(address)


def _watch() -> None:
    look_up = socket.getaddrinfo

    def noted(host: Any, *arguments: Any, **options: Any) -> Any:
        _note(host)
        return look_up(host, *arguments, **options)

    socket.socket = _Socket  # type: ignore[misc]
    socket.getaddrinfo = noted  # type: ignore[assignment]


def main() -> None:
    _LOG.touch()
    _watch()
    har.runtime.loading.load_engine = lambda *_, **__: red_engine()  # type: ignore[assignment]
    from har.app.__main__ import main as serve

    serve()


if __name__ == "__main__":
    sys.argv[0] = "har-app"
    main()
