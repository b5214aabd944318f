"""Rules of linear algebra: solutions of linear systems, inverses, determinants, Cholesky factors.

What solves an equation between products, such as `a x = b` for `x`, does so in each channel: there
stand the value of `a` times that channel of `x`, and products of channels that are known by then,
since a channel of a product takes channels of lower order only.
"""

import itertools

import tensorflow as tf

from kpinn.derivatives.channels.compositions import compose
from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, add_channels, algebra_of, channel_of, value_of
from kpinn.derivatives.channels.jets import linear as each_channel
from kpinn.derivatives.channels.product_rules import multiply, nilpotent_rule, sum_of_rule
from kpinn.derivatives.operations import taylor_series
from kpinn.derivatives.operations.table import Facts, register

MATRICES = (-2, -1)
register("Qr", "SelfAdjointEigV2", "Svd", along=MATRICES)(Facts())  # have no rule
_EXPLICIT = 3  # largest size of matrices whose determinant is written out


def _transposed(a):
    if isinstance(a, Jet):
        return each_channel(tf.linalg.matrix_transpose, a)
    return tf.linalg.matrix_transpose(a)


def _solution(value, a, b, solve):
    """The `x` of `a x = b`.

    Args:
        value: tensor, the value of `x`.
        a: matrices, jet or tensor.
        b: right-hand sides, jet or tensor.
        solve: gives the solution for the value of `a` and any right-hand side.
    """
    algebra = algebra_of((a, b))
    factors = [channel_of(a, k) for k in range(len(algebra))]
    found = [value] + [None] * (len(algebra) - 1)
    for k in range(1, len(algebra)):
        rule = [(None, [(k, 0, 1)]), *nilpotent_rule(algebra, k)]
        known = sum_of_rule(rule, factors, found, algebra.factors, tf.matmul)
        rest = add_channels(channel_of(b, k), known, tf.subtract)
        found[k] = None if rest is None else solve(rest)
    return Jet(algebra, tuple(found))


@register("MatrixSolve", along=MATRICES)
def _solve(call, a, b):
    a, b = full(a), full(b)
    (value,) = call.emit_values(a, b)
    matrices = _transposed(a) if call.attribute("adjoint") else a
    return [_solution(value, matrices, b, lambda rest: call.emit(value_of(a), rest)[0])]


@register("MatrixTriangularSolve", along=MATRICES)
def _triangular_solve(call, a, b):
    a, b = full(a), full(b)
    (value,) = call.emit_values(a, b)
    below, above = (-1, 0) if call.attribute("lower") else (0, -1)
    matrices = a
    if isinstance(a, Jet):  # the other triangle is not read
        matrices = each_channel(lambda c: tf.linalg.band_part(c, below, above), a)
    matrices = _transposed(matrices) if call.attribute("adjoint") else matrices
    return [_solution(value, matrices, b, lambda rest: call.emit(value_of(a), rest)[0])]


@register("MatrixInverse", along=MATRICES)
def _inverse(call, a):
    a = full(a)
    (value,) = call.emit_values(a)
    matrices = _transposed(a) if call.attribute("adjoint") else a
    return [_solution(value, matrices, None, lambda rest: value @ rest)]


@register("Cholesky", along=MATRICES)
def _cholesky(call, a):
    """The `l` of `l l^T = a`; of a symmetric `z = l0 y^T + y l0^T` the part `y` is `l0 half(z)`."""
    a = full(a)
    (lower,) = call.emit_values(a)
    found = [lower] + [None] * (len(a.algebra) - 1)

    def product(x, y):
        return tf.matmul(x, y, transpose_b=True)

    for k in range(1, len(a.algebra)):
        known = sum_of_rule(nilpotent_rule(a.algebra, k), found, found, a.algebra.factors, product)
        channel = None if a.channels[k] is None else _symmetric(a.channels[k])
        rest = add_channels(channel, known, tf.subtract)
        found[k] = None if rest is None else lower @ _half(lower, rest)
    return [Jet(a.algebra, tuple(found))]


def _symmetric(a):
    """The symmetric matrix of a lower triangle; the other one is not read."""
    below = tf.linalg.band_part(a, -1, 0)
    upper = tf.linalg.matrix_transpose(below)
    return tf.linalg.set_diag(below + upper, tf.linalg.diag_part(a))


def _half(lower, a):
    """The lower triangle of `l^-1 a l^-T`, with half of its diagonal."""
    left = tf.linalg.triangular_solve(lower, a)
    both = tf.linalg.triangular_solve(lower, tf.linalg.matrix_transpose(left))
    triangle = tf.linalg.band_part(both, -1, 0)
    return tf.linalg.set_diag(triangle, tf.linalg.diag_part(both) / 2)


@register("MatrixDeterminant", along=MATRICES)
def _determinant(call, a):
    (value,), size = call.emit_values(a), a.shape[-1]
    if size is not None and size <= _EXPLICIT:  # which may be singular
        (found,) = call.run.through(_expanded, [a])
    else:
        logarithm = _log_determinant(full(a), tf.zeros_like(value))
        found = multiply(value, compose(logarithm, taylor_series.exp))
    return [found.with_value(value)]


@register("LogMatrixDeterminant", along=MATRICES)
def _log_of_determinant(call, a):
    sign, value = call.emit_values(a)
    return [sign, _log_determinant(full(a), value)]


def _expanded(a):
    """The determinant along the first row."""
    size = a.shape[-1]
    if size == 1:
        return a[..., 0, 0]
    minors = [_expanded(tf.concat([a[..., 1:, :j], a[..., 1:, j + 1 :]], -1)) for j in range(size)]
    terms = [a[..., 0, j] * minor for j, minor in enumerate(minors)]
    return sum(terms[::2]) - sum(terms[1::2])


def _log_determinant(a, value):
    """`log |det (a + n)|` is `log |det a|` and the traces of `+-(a^-1 n)^m / m`."""
    parts = [None if c is None else tf.linalg.solve(a.value, c) for c in a.channels[1:]]
    nilpotent = Jet(a.algebra, (None, *parts))
    total = [value] + [None] * (len(a.algebra) - 1)
    factors = [nilpotent] * a.algebra.order
    powers = itertools.accumulate(factors, lambda x, y: multiply(x, y, tf.matmul))
    for m, power in enumerate(powers, start=1):
        for k in range(1, len(a.algebra)):
            if power.channels[k] is not None:
                trace = tf.linalg.trace(power.channels[k]) / m
                combine = tf.add if m % 2 else tf.subtract
                total[k] = add_channels(total[k], trace, combine)
    return Jet(a.algebra, tuple(total))
