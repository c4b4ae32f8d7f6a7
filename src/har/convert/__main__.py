"""``python -m har.convert weights=<file> out=<file.safetensors>``: weights without pickle."""

from har.cli import entry_point

main = entry_point("convert", "har.convert.run:convert")

if __name__ == "__main__":
    main()
