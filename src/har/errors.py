"""Errors meant for people: one sentence that says what went wrong, where, and what to do."""


class HarError(Exception):
    """What went wrong, where, and what to do, in one sentence for the person at the terminal."""


class DatasetNotFoundError(HarError, FileNotFoundError):
    """Data that is missing, with the commands that bring it."""
