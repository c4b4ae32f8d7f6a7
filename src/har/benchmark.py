"""``python -m har.benchmark model|data``: how fast the networks and the data are on this machine."""

from har.launch import entry_point

main = entry_point("benchmark", "har.benchmarks:benchmark", has_task=True)

if __name__ == "__main__":
    main()
