"""What happens beside training: checkpoints, early stopping, throughput, pictures, progress."""

from har.callbacks.averaging import EMA
from har.callbacks.checkpoint import Checkpoint, EarlyStopping
from har.callbacks.csv_logger import CSVLogger
from har.callbacks.figures import Figures
from har.callbacks.progress import ProgressBar, Throughput

__all__ = [
    "EMA",
    "CSVLogger",
    "Checkpoint",
    "EarlyStopping",
    "Figures",
    "ProgressBar",
    "Throughput",
]
