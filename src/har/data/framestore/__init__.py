"""Prepared frames on disk; knows no data set."""
