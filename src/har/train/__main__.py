"""``python -m har.train experiment=<name>``: train a network, test it, write the report."""

from har.cli import entry_point

main = entry_point("train", "har.runs.training:train", resume=True, name="train")

if __name__ == "__main__":
    main()
