"""Poses and actions of images and videos: ``python -m har.predict``."""
