"""MPII Human Pose: annotations of three kinds, images, crops (Andriluka et al., CVPR 2014)."""
