"""Training from the command line: ``python -m har.train``."""
