"""``python -m har.evaluate ckpt_path=<file> protocol=multi``: figures of trained weights."""

import sys

from har.launch import entry_point

_run = entry_point("evaluate", "har.evaluation:evaluate")


def main() -> None:
    """Runs are named after their experiment; without one the checkpoint says what it is."""
    if not any(word.startswith(("experiment=", "name=")) for word in sys.argv[1:]):
        # Beside the other overrides: Hydra takes none from both sides of a flag.
        overrides = [n for n, word in enumerate(sys.argv) if "=" in word and word[0] != "-"]
        place = overrides[0] if overrides else len(sys.argv)
        sys.argv.insert(place, "name=evaluation")
    _run()


if __name__ == "__main__":
    main()
