"""How fast networks and data are on this machine: ``python -m har.benchmark``."""
