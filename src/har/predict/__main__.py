"""``python -m har.predict source=<image|folder|video|camera|-> weights=<name or file>``."""

from har.cli import entry_point

main = entry_point("predict", "har.predict.run:predict")

if __name__ == "__main__":
    main()
