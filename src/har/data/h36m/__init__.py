"""Human3.6M: annotations of two programs, cameras, and prepared frames."""
