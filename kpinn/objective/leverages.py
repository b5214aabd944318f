"""How much of the residuals a fit takes from each of them."""

import numpy as np

from kpinn.objective.estimate import Estimate
from kpinn.objective.jacobian import chunks_of
from kpinn.optimizers.flat import epsilon

ROWS = 10_000  # most rows of the Jacobian that are made at a time


def tolerance_of(dtype):
    """The part of the largest singular value below which those of a Jacobian are rounding."""
    return epsilon(dtype) ** 0.5


def leverages(objective, data):
    """By condition the leverages of its residuals, `(m,)`, between 0 and 1.

    They are the diagonal of the matrix from measurements to what is fitted to them, near a minimum
    of the loss. Their sum is the number of parameters that the residuals determine.

    Args:
        objective: an `Objective` whose losses are mean squares.
        data: a `Data`.
    """
    objective.check_squares(data)
    parts = objective.parts()(data)
    matrix = np.concatenate(
        [objective.rows(chunk).numpy() for part in parts for chunk in chunks_of(part, ROWS)]
    ).astype(np.float64)
    nothing = np.zeros((len(matrix), 0))
    basis = Estimate.of(matrix, nothing, tolerance_of(objective.dtype)).range
    stops = np.cumsum([part.residual.shape.num_elements() for part in parts])
    found = np.split(np.sum(basis**2, axis=1), stops[:-1])
    return dict(zip(objective.evaluated(data), found, strict=True))
