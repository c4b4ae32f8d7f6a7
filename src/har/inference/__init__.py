"""Using trained networks: one frame once, streams of frames, pictures and videos in, poses out."""
