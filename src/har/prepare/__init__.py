"""From downloaded files to frames ready for training: ``python -m har.prepare``."""
