"""``python -m har.sweep`` or ``har.train``, which notes every clip that is read in ``read.txt``."""

import sys
from pathlib import Path
from typing import Any

from har.data.clips_dataset import ClipDataset


def main() -> None:
    read = ClipDataset.__getitem__

    def noted(self: ClipDataset, key: Any) -> dict[str, Any]:
        item = read(self, key)
        with Path("read.txt").open("a", encoding="utf-8") as file:
            file.write(f"{item['name']}\n")
        return item

    ClipDataset.__getitem__ = noted  # type: ignore[method-assign]
    command = sys.argv.pop(1)
    if command == "sweep":
        from har.sweep.__main__ import main as run
    else:
        from har.train.__main__ import main as run
    run()


if __name__ == "__main__":
    main()
