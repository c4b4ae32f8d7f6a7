"""``python -m har.benchmark model|data``: how fast networks and data are here."""

from har.cli import entry_point

main = entry_point("benchmark", "har.benchmark.tasks:benchmark", has_task=True)

if __name__ == "__main__":
    main()
