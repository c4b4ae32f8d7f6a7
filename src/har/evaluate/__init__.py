"""Metrics of trained weights, and runs side by side: ``python -m har.evaluate``."""
