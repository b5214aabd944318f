"""Keras layers that return derivatives of a network."""

from kpinn.layers.derivatives import Derivatives as Derivatives
from kpinn.layers.derivatives import FiniteDifference as FiniteDifference
