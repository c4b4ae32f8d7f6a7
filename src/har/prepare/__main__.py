"""``python -m har.prepare ntu|synthetic``: from downloaded files to frames ready for training."""

from har.cli import entry_point

main = entry_point("prepare", "har.prepare.tasks:prepare", has_task=True)

if __name__ == "__main__":
    main()
