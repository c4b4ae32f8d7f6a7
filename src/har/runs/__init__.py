"""A run: built from a configuration, its folder, measuring a network on a data set."""
