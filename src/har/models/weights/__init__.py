"""Weights of other programs, read into the networks of this package."""
