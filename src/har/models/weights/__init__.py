"""Weights of other programs, read into the networks of this package, and published weights."""

from har.models.weights.files import load_network, load_weights, save_weights
from har.models.weights.keras_h5 import infer_config, load_keras_h5
from har.models.weights.report import LoadReport
from har.models.weights.zoo import load_pretrained

__all__ = [
    "LoadReport",
    "infer_config",
    "load_keras_h5",
    "load_network",
    "load_pretrained",
    "load_weights",
    "save_weights",
]
