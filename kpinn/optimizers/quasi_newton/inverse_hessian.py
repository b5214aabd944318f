"""Approximations of the inverse Hessian from steps and the changes of the gradient along them.

In the words of the literature: `s` is a step of the parameters, `y` the change of the gradient
along it, `H` the inverse Hessian, `B` the inverse of `H`. Every function is pure. An update also
returns the next direction, so that the dense one needs a single product with the matrix per step.
"""

import math
import typing

import tensorflow as tf

from kpinn.optimizers.flat import epsilon


def _compiled(function):
    """Compiled by XLA: one pass over memory, or one launch, for what would be many operations."""
    return tf.function(function, jit_compile=True, autograph=False)


class Move(typing.NamedTuple):
    """One step of an optimizer.

    Attributes:
        s: the step `(p,)`.
        y: the change of the gradient `(p,)`.
        gradient: the gradient after the step `(p,)`.
        direction: minus `H` times the gradient before the step, `(p,)`.
        curvature: `s B s`, a scalar.
    """

    s: tf.Tensor
    y: tf.Tensor
    gradient: tf.Tensor
    direction: tf.Tensor
    curvature: tf.Tensor


class Updated(typing.NamedTuple):
    """What an update returns.

    Attributes:
        inverse_hessian: as the update took it: a matrix `(p, p)`, or a `History`.
        direction: minus `H` times the gradient after the step, `(p,)`.
        count: updates in `H`, int32.
        scale: multiple of the identity that resembles `H` most, `y s / y y` of the last update.
    """

    inverse_hessian: typing.Any
    direction: tf.Tensor
    count: tf.Tensor
    scale: tf.Tensor


def _products(move):
    """`y s`, `y s / y y`, and whether they allow an update that leaves `H` positive definite."""
    product, square = tf.tensordot(move.y, move.s, 1), tf.tensordot(move.y, move.y, 1)
    scale = product / square
    usable = product > epsilon(product.dtype) * tf.sqrt(square) * tf.norm(move.s)
    usable &= tf.math.is_finite(scale) & (move.curvature > 0) & (scale > 0)
    return product, scale, usable


# Dense -------------------------------------------------------------------------------------


def bfgs(h, b, size):
    """`theta` and `tau` of BFGS; see `ssbroyden`."""
    return tf.zeros_like(h), tf.ones_like(h)


def ssbroyden(h, b, size):
    """`theta` and `tau` of the self-scaled Broyden family.

    Args:
        h: `y H y / y s`, a scalar.
        b: `s B s / y s`, a scalar; the product of the two is at least one.
        size: number of parameters.

    Returns:
        `theta`, which chooses the member of Broyden's family (zero is BFGS, one is DFP), and
        `tau`, by which `H` is divided.

    References:
        Urban, Stefanou & Pons (2025), formulas 13 to 23.
    """
    one, a = tf.ones_like(h), _excess(h, b)
    c = tf.sqrt(a / (a + 1))
    rho_minus = tf.minimum(one, h * (1 - c))
    theta_minus, theta_plus = (rho_minus - 1) / a, 1 / rho_minus
    theta = tf.maximum(theta_minus, tf.minimum(theta_plus, (1 - b) / b))
    sigma = 1 + theta * a
    sigma_power = sigma ** (1 / (1 - max(size, 2)))
    rho = tf.minimum(one, 1 / b)
    enlarged = rho * tf.minimum(sigma_power, 1 / tf.where(theta > 0, theta, one))
    return theta, tf.where(theta > 0, enlarged, tf.minimum(rho * sigma_power, sigma))


def _excess(h, b):
    """`h b - 1`, zero but for rounding where `s` is parallel to `H y`."""
    return tf.maximum(h * b - 1, epsilon(h.dtype))


@_compiled
def dense_direction(inverse_hessian, gradient, count, scale):
    """Minus `H` times a gradient `(p,)`; `H` is `scale` times the identity if `count` is zero."""
    image = tf.linalg.matvec(inverse_hessian, gradient)
    return -tf.where(count == 0, scale * gradient, image)


def update_dense(family):
    """The update of a dense `H` after which it maps `y` to `s`.

    It reads the matrix twice and writes it once. There is none where `y s` is not positive enough.

    Args:
        family: `bfgs`, `ssbroyden` or another function like these.

    Returns:
        A compiled function from a symmetric matrix `(p, p)`, a `Move`, `count` and `scale` to an
        `Updated`. The matrix counts as `scale` times the identity where `count` is zero.

    References:
        J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition (2006), section 6.3 and,
        for the first update, formula 6.20.
        M. Al-Baali, E. Spedicato and F. Maggioni, Broyden's quasi-Newton methods for a nonlinear
        system of equations and unconstrained optimization: a review and open problems,
        Optimization Methods and Software 29 (2014), 937-954.
        J. F. Urban, P. Stefanou and J. A. Pons, Unveiling the optimization process of physics
        informed neural networks, Journal of Computational Physics 523 (2025), 113656.
    """

    def update(inverse_hessian, move, count, scale):
        first = count == 0
        image = tf.linalg.matvec(inverse_hessian, move.gradient)
        image = tf.where(first, scale * move.gradient, image)
        identity = scale * tf.eye(move.s.shape[0], dtype=move.s.dtype)
        factor, columns, usable = _correction(move, image + move.direction, first, family)
        matrix = factor * tf.where(first, identity, inverse_hessian)
        direction = -factor * image
        for sign, w in columns:
            matrix += sign * w[:, None] * w[None, :]
            direction -= sign * tf.tensordot(w, move.gradient, 1) * w
        scale = tf.where(usable, _products(move)[1], scale)
        return Updated(matrix, direction, count + tf.cast(usable, tf.int32), scale)

    return _compiled(update)


def _correction(move, u, first, family):
    """`factor` and columns `w` of `H+ = factor H + sum of +-w w'`, from `u = H y`.

    A sum of squares rounds to an exactly symmetric matrix; products of `s` and `u` would not, and
    nothing would ever correct what is not symmetric.
    """
    ys, _, usable = _products(move)
    yHy = tf.tensordot(move.y, u, 1)
    usable &= yHy > 0
    one = tf.ones_like(ys)
    ys, yHy = tf.where(usable, ys, one), tf.where(usable, yHy, one)
    h, b = yHy / ys, tf.where(usable, move.curvature, one) / ys
    theta, tau = family(h, b, move.s.shape[0])
    # Nocedal & Wright 6.20: the first update is that of BFGS, of an identity as large as y says.
    theta, tau = tf.where(first, tf.zeros_like(theta), theta), tf.where(first, h, tau)
    phi = (1 - theta) / (1 + theta * _excess(h, b))
    # H+ = (H - u u' / yHy + phi yHy v v') / tau + s s' / ys with v = s / ys - u / yHy.
    ss, su, uu = (phi * h / tau + 1) / ys, -phi / (tau * ys), (phi - 1) / (tau * yHy)
    columns = _squares(move.s, u, (ss, su, uu), usable)
    return tf.where(usable, 1 / tau, one), columns, usable


def _squares(s, u, coefficients, usable):
    """`ss s s' + su (s u' + u s') + uu u u'` as two pairs of a sign and `w`, of `+-w w'`."""
    ss, su, uu = coefficients
    length_s, length_u = tf.norm(s), tf.norm(u)
    ss, su, uu = ss * length_s**2, su * length_s * length_u, uu * length_u**2
    angle = tf.atan2(2 * su, ss - uu) / 2
    radius = tf.sqrt(((ss - uu) / 2) ** 2 + su**2)
    columns = []
    for value, turn in (((ss + uu) / 2 + radius, 0), ((ss + uu) / 2 - radius, math.pi / 2)):
        w = tf.cos(angle + turn) * (s / length_s) + tf.sin(angle + turn) * (u / length_u)
        w = tf.where(usable, tf.sqrt(tf.abs(value)) * w, tf.zeros_like(s))
        columns.append((tf.sign(value), w))
    return columns


# Limited memory ----------------------------------------------------------------------------


class History(typing.NamedTuple):
    """The last pairs of step and change of the gradient, oldest first.

    Attributes:
        s: steps `(memory, p)`.
        y: changes of the gradient `(memory, p)`.
        rho: `1 / y s` of each pair, `(memory,)`.
    """

    s: tf.Tensor
    y: tf.Tensor
    rho: tf.Tensor


@_compiled
def limited_direction(history, gradient, count, scale):
    """Minus `H` times a gradient `(p,)` by the two-loop recursion; see `two_loop`."""
    return -two_loop(history, gradient, count, scale)


def two_loop(history, gradient, count, scale):
    """`H` times a gradient, from the last `count` pairs of the history.

    Args:
        history: a `History`.
        gradient: a vector `(p,)`.
        count: number of pairs that count, int32; at most those of the history.
        scale: the inverse Hessian before all pairs is this multiple of the identity.

    Returns:
        A vector `(p,)`.

    References:
        Nocedal & Wright, algorithm 7.4.
    """
    memory = history.rho.shape[0]
    # A pair whose rho is zero changes nothing: loops of a fixed length are faster.
    rho = tf.where(tf.range(memory) >= memory - count, history.rho, tf.zeros_like(history.rho))

    def newest_first(turn, q, alphas):
        i = memory - 1 - turn
        alpha = rho[i] * tf.tensordot(history.s[i], q, 1)
        return (
            turn + 1,
            q - alpha * history.y[i],
            alphas + alpha * tf.one_hot(i, memory, dtype=q.dtype),
        )

    def oldest_first(i, r):
        beta = rho[i] * tf.tensordot(history.y[i], r, 1)
        return i + 1, r + (alphas[i] - beta) * history.s[i]

    def loop(body, *start):
        return tf.while_loop(lambda i, *_: i < memory, body, (0, *start), maximum_iterations=memory)

    _, q, alphas = loop(newest_first, gradient, tf.zeros_like(rho))
    return loop(oldest_first, scale * q)[1]


@_compiled
def update_limited(history, move, count, scale):
    """Adds a pair to a `History`; see `update_dense` for the arguments.

    There is no update where `y s` is not positive enough.

    References:
        Nocedal & Wright, algorithms 7.4 and 7.5.
    """
    ys, new_scale, usable = _products(move)
    pair = History(move.s, move.y, 1 / ys)
    history = History(
        *(
            tf.where(usable, tf.concat([old[1:], new[None]], axis=0), old)
            for old, new in zip(history, pair, strict=True)
        )
    )
    count = tf.where(usable, tf.minimum(count + 1, history.rho.shape[0]), count)
    scale = tf.where(usable, new_scale, scale)
    direction = -two_loop(history, move.gradient, count, scale)
    return Updated(history, direction, count, scale)
