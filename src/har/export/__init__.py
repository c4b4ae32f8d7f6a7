"""Networks for other programs: ``python -m har.export``."""
