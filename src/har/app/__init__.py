"""A page in the browser to try a network: ``python -m har.app``."""
