"""LightningModules: what a step computes, which optimizer runs, what is logged."""

from har.modules.multitask import MultitaskModule
from har.modules.pose2d import Pose2DModule
from har.modules.schedule import Phase
from har.modules.stored_actions import StoredActionsModule

__all__ = ["MultitaskModule", "Phase", "Pose2DModule", "StoredActionsModule"]
