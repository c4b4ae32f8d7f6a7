"""Penn Action: label files, prepared frames, and the boxes that the authors' program predicted."""
