"""``python -m har.evaluate ckpt_path=<file> protocol=multi``: metrics of trained weights."""

from har.cli import entry_point

main = entry_point("evaluate", "har.evaluate.run:evaluate", name="evaluation")

if __name__ == "__main__":
    main()
