"""Physics-informed neural networks as Keras models."""

from kpinn import backend as _backend  # noqa: F401, I001  first: it checks the backend
from kpinn import callbacks, domains, layers, losses, networks, operators, optimizers, plotting
from kpinn.checking import check_derivatives
from kpinn.problem.marks import condition, field
from kpinn.derivatives import (
    CustomGradientWarning,
    DerivativeFallbackWarning,
    FiniteDifference,
    PrecisionWarning,
    Stochastic,
    Taylor,
    derivatives,
)
from kpinn.serving.covariance import covariance
from kpinn.serving.jacobian import jacobian, jacobian_vector_product, vector_jacobian_product
from kpinn.serving.keras_files import load_model
from kpinn.serving.labelled_arrays import to_xarray
from kpinn.serving.load_export import load_export
from kpinn.serving.vtk import export_vtk
from kpinn.optimizers import destructure
from kpinn.pinn import PINN
from kpinn.training.manufactured import manufactured
from kpinn.training.march import march
from kpinn.training.nonfinite import NonFiniteError
from kpinn.training.recommendation import recommend
from kpinn.training.weights.sizes import loss_weights
from kpinn.backend import set_float64
from kpinn.backend.version import __version__

__all__ = [
    "PINN",
    "CustomGradientWarning",
    "DerivativeFallbackWarning",
    "FiniteDifference",
    "NonFiniteError",
    "PrecisionWarning",
    "Stochastic",
    "Taylor",
    "__version__",
    "callbacks",
    "check_derivatives",
    "condition",
    "covariance",
    "derivatives",
    "destructure",
    "domains",
    "export_vtk",
    "field",
    "jacobian",
    "jacobian_vector_product",
    "layers",
    "load_export",
    "load_model",
    "loss_weights",
    "losses",
    "manufactured",
    "march",
    "networks",
    "operators",
    "optimizers",
    "plotting",
    "recommend",
    "set_float64",
    "to_xarray",
    "vector_jacobian_product",
]
