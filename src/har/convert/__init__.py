"""Weights in the format of this package: ``python -m har.convert``."""
