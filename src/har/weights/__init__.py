"""Weights of other programs, read into the networks of this package, and published weights."""

from har.weights.file import load_network, load_weights, save_weights
from har.weights.keras.load import infer_config, load_keras_h5
from har.weights.pretrained import load_pretrained
from har.weights.report import LoadReport

__all__ = [
    "LoadReport",
    "infer_config",
    "load_keras_h5",
    "load_network",
    "load_pretrained",
    "load_weights",
    "save_weights",
]
