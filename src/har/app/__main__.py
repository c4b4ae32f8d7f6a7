"""``python -m har.app weights=<name, file or folder>``: a page to try a network in a browser."""

from har.cli import entry_point

main = entry_point("app", "har.app.run:serve")

if __name__ == "__main__":
    main()
