"""From partial derivatives to the values of requests."""

import tensorflow as tf

from kpinn.derivatives.names.requests import partials
from kpinn.derivatives.operator_values import READERS


def read_out(request, space, values):
    """Assembles one request.

    Args:
        request: a `Request`.
        space: its `Space`.
        values: dict from `(column, axes)` to tensors `(n, 1)`.

    Returns:
        A tensor: `(n, k)` for a field of `k` components and its partial derivatives, the
        Laplacian and the biharmonic operator; `(n, d)` for a gradient, `(n, 1)` for a divergence,
        `(n, 1)` or `(n, 3)` for a curl, `(n, d, d)` for a Hessian, `(n, k, d)` for a Jacobian.
    """
    if request.terms:
        return tf.add_n([factor * read_out(term, space, values) for factor, term in request.terms])
    terms = [values[key] for key in partials(request, space)]
    if request.operator is None:
        return terms[0] if len(terms) == 1 else tf.concat(terms, axis=1)
    return READERS[request.operator](terms, space.size(request.field), len(space.spatial))


def at_points(values, points):
    """Values in the dtype of the points and, where loops hide it, with their static number."""
    values = {name: tf.cast(value, points.dtype) for name, value in values.items()}
    count = points.shape[0]
    if count is None:
        return values
    return {name: tf.ensure_shape(v, [count, *v.shape[1:]]) for name, v in values.items()}
