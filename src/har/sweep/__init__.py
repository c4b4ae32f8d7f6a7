"""Searching for hyperparameters: ``python -m har.sweep``."""
