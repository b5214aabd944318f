"""Losses beyond those of Keras."""

from kpinn.objective.functionals import Mean as Mean
from kpinn.objective.functionals import Product as Product
from kpinn.objective.inequality import Inequality as Inequality
