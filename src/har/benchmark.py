"""``python -m har.benchmark model|data``: how fast networks and data are here."""

from har.launch import entry_point

main = entry_point("benchmark", "har.benchmarks:benchmark", has_task=True)

if __name__ == "__main__":
    main()
