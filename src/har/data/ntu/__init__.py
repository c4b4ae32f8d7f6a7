"""NTU RGB+D: skeleton files, names, splits, and prepared frames."""
