"""What the network that sees people learns from: photographs with 3-D poses, and places without."""
