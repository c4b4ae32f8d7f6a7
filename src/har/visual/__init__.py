"""Pictures: skeletons on images, plots of poses, accuracies and curves."""
