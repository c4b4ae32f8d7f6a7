"""``python -m har.evaluate experiment=<name> ckpt_path=<file>``: figures of trained weights."""

from har.launch import entry_point

main = entry_point("evaluate", "har.runs:evaluate")

if __name__ == "__main__":
    main()
