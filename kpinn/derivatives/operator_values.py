"""Operators over the spatial coordinates from their partial derivatives, `(n, 1)` each."""

import tensorflow as tf


def columns(terms, size, dimension):
    """Side by side."""
    return terms[0] if len(terms) == 1 else tf.concat(terms, axis=1)


def _jacobian(terms, size, dimension):
    return tf.reshape(tf.concat(terms, axis=1), (-1, size, dimension))


def _divergence(terms, size, dimension):
    return tf.add_n(terms)


def _per_component(terms, size):
    count = len(terms) // size
    return [terms[i * count : (i + 1) * count] for i in range(size)]


def _laplacian(terms, size, dimension):
    return columns([tf.add_n(part) for part in _per_component(terms, size)], size, dimension)


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
    return columns(sums, size, dimension)


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


READERS = {
    "grad": columns,
    "jac": _jacobian,
    "div": _divergence,
    "curl": _curl,
    "laplacian": _laplacian,
    "hessian": _hessian,
    "biharmonic": _biharmonic,
}
