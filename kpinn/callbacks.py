"""Callbacks that choose points and weights while `fit` goes on, that save it, and that show it."""

from kpinn.plotting.live import LivePlot as LivePlot
from kpinn.training.checkpoints.callback import Checkpoint as Checkpoint
from kpinn.training.cross_validation import CrossValidation as CrossValidation
from kpinn.training.dashboard import Dashboard as Dashboard
from kpinn.training.discrepancy import Discrepancy as Discrepancy
from kpinn.training.resampling import ImportanceSampling as ImportanceSampling
from kpinn.training.resampling import Resample as Resample
from kpinn.training.resampling import ResidualSampling as ResidualSampling
from kpinn.training.resampling import RetainResampleRelease as RetainResampleRelease
from kpinn.training.weights.balancing import LossBalancing as LossBalancing
from kpinn.training.weights.conditions import ReLoBRaLo as ReLoBRaLo
from kpinn.training.weights.conditions import SoftAdapt as SoftAdapt
from kpinn.training.weights.conditions import UncertaintyWeights as UncertaintyWeights
from kpinn.training.weights.lagrangian import AugmentedLagrangian as AugmentedLagrangian
from kpinn.training.weights.points import CausalWeights as CausalWeights
from kpinn.training.weights.points import ResidualWeights as ResidualWeights
from kpinn.training.weights.points import SelfAdaptiveWeights as SelfAdaptiveWeights
