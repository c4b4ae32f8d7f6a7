"""``python -m har.evaluate ckpt_path=<file> protocol=multi``: figures of trained weights."""

import sys

from har.cli import add_override, entry_point

_run = entry_point("evaluate", "har.evaluate.run:evaluate")


def main() -> None:
    """Runs are named after their experiment; without one the checkpoint says what it is."""
    if not any(word.startswith(("experiment=", "name=")) for word in sys.argv[1:]):
        sys.argv[1:] = add_override(sys.argv[1:], "name=evaluation")
    _run()


if __name__ == "__main__":
    main()
