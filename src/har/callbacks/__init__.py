"""What happens beside training: checkpoints, throughput, figures, the progress bar."""

from har.callbacks.checkpoint import LastCheckpoint
from har.callbacks.figures import Figures
from har.callbacks.progress import ProgressBar, Throughput

__all__ = ["Figures", "LastCheckpoint", "ProgressBar", "Throughput"]
