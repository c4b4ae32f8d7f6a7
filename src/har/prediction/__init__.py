"""Pictures and videos in, persons with poses and actions out."""
