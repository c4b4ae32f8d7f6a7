"""``python -m har.predict source=<image|folder|video|camera|-> weights=<name or file>``."""

from har.launch import entry_point

main = entry_point("predict", "har.prediction:predict")

if __name__ == "__main__":
    main()
