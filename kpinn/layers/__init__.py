"""Keras layers: derivatives of a network, functions of coordinates, hard conditions."""

from kpinn.layers.boundary_values import Initial as Initial
from kpinn.layers.boundary_values import Neumann as Neumann
from kpinn.layers.boundary_values import Robin as Robin
from kpinn.layers.derivatives import Derivatives as Derivatives
from kpinn.layers.derivatives import FiniteDifference as FiniteDifference
from kpinn.layers.embeddings import FourierFeatures as FourierFeatures
from kpinn.layers.embeddings import PeriodicEmbedding as PeriodicEmbedding
from kpinn.layers.embeddings import Rescale as Rescale
from kpinn.layers.factorized import FactorizedDense as FactorizedDense
from kpinn.layers.hard import HardCondition as HardCondition
from kpinn.layers.hard_boundary import HardBoundary as HardBoundary
from kpinn.layers.interpolation import Interpolation as Interpolation
from kpinn.layers.random_features import RandomFeatures as RandomFeatures
from kpinn.layers.scaled import Scaled as Scaled
from kpinn.layers.separable import Separable as Separable
from kpinn.layers.time_windows import TimeWindows as TimeWindows
