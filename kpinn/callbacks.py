"""Callbacks that choose points and weights while `fit` goes on, and one that saves it."""

from kpinn.training.callbacks import LossBalancing as LossBalancing
from kpinn.training.callbacks import Resample as Resample
from kpinn.training.callbacks import ResidualSampling as ResidualSampling
from kpinn.training.callbacks import ResidualWeights as ResidualWeights
from kpinn.training.checkpoints.callback import Checkpoint as Checkpoint
