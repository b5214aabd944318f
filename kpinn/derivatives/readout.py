"""From partial derivatives to the values of requests."""

import tensorflow as tf

from kpinn.derivatives.requests import partials


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
    build = _READERS.get(request.operator, _columns)
    return build(terms, space.size(request.field), len(space.spatial))


def at_points(values, points):
    """Values in the dtype of the points and, where loops hide it, with their static number."""
    values = {name: tf.cast(value, points.dtype) for name, value in values.items()}
    count = points.shape[0]
    if count is None:
        return values
    return {name: tf.ensure_shape(v, [count, *v.shape[1:]]) for name, v in values.items()}


def _columns(terms, size, dimension):
    return terms[0] if len(terms) == 1 else tf.concat(terms, axis=1)


def _jacobian(terms, size, dimension):
    return tf.reshape(tf.concat(terms, axis=1), (-1, size, dimension))


def _divergence(terms, size, dimension):
    return tf.add_n(terms)


def _per_component(terms, size):
    count = len(terms) // size
    return [terms[i * count : (i + 1) * count] for i in range(size)]


def _laplacian(terms, size, dimension):
    return _columns([tf.add_n(part) for part in _per_component(terms, size)], size, dimension)


def _biharmonic(terms, size, dimension):
    sums = []
    for part in _per_component(terms, size):
        pairs = iter(part)
        weighted = [
            next(pairs) * (1 if i == j else 2)
            for i in range(dimension)
            for j in range(i, dimension)
        ]
        sums.append(tf.add_n(weighted))
    return _columns(sums, size, dimension)


def _hessian(terms, size, dimension):
    entries, pairs = {}, iter(terms)
    for i in range(dimension):
        for j in range(i, dimension):
            entries[i, j] = entries[j, i] = next(pairs)
    rows = [entries[i, j] for i in range(dimension) for j in range(dimension)]
    return tf.reshape(tf.concat(rows, axis=1), (-1, dimension, dimension))


def _curl(terms, size, dimension):
    if dimension == 2:
        u_y, v_x = terms
        return v_x - u_y
    u_y, u_z, v_x, v_z, w_x, w_y = terms
    return tf.concat([w_y - v_z, u_z - w_x, v_x - u_y], axis=1)


_READERS = {
    "grad": _columns,
    "jac": _jacobian,
    "div": _divergence,
    "curl": _curl,
    "laplacian": _laplacian,
    "hessian": _hessian,
    "biharmonic": _biharmonic,
}
