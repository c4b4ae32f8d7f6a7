"""``python -m har.export weights=<name or file> format=onnx|torch_export out=<file>``."""

from har.cli import entry_point

main = entry_point("export", "har.export.run:export")

if __name__ == "__main__":
    main()
