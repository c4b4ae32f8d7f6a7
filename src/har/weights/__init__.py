"""Weights: files of this package and of the original, published weights, networks by name."""

from har.weights.describe import spec_of
from har.weights.file import WeightsFile, read_run, save_weights
from har.weights.finetuning import TransferReport, fine_tune, transfer_weights
from har.weights.keras.load import infer_config, load_keras_h5
from har.weights.loading import (
    create_model,
    list_models,
    load_network,
    load_pretrained,
    load_weights,
)
from har.weights.pretrained import open_weights
from har.weights.report import LoadReport

__all__ = [
    "LoadReport",
    "TransferReport",
    "WeightsFile",
    "create_model",
    "fine_tune",
    "infer_config",
    "list_models",
    "load_keras_h5",
    "load_network",
    "load_pretrained",
    "load_weights",
    "open_weights",
    "read_run",
    "save_weights",
    "spec_of",
    "transfer_weights",
]
