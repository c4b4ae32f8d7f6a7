"""Trained networks that compute: crops in, poses and actions out."""
