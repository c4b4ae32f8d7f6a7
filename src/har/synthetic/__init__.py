"""Synthetic people in video: articulated bodies that act in rooms, written in official formats."""
