"""LightningModules: what a step computes, which optimiser runs, what is logged."""

from har.modules.multitask import MultitaskModule
from har.modules.phases import Phase

__all__ = ["MultitaskModule", "Phase"]
