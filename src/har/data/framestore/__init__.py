"""Prepared frames on disk, of any data set."""
