"""The operators and the sine problem in JAX, for comparison. Not needed by anything else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.jet import jet
from operators import OPERATORS, assemble, lines, partials, vector

jax.config.update("jax_enable_x64", True)  # arrays keep their own dtype

FEW = 4  # so many derivatives of one order are written out, more are mapped over


def network(weights, x):
    """A tanh network from kernels and biases in turn."""
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = jnp.tanh(x @ kernel + bias)
    return x @ weights[-2] + weights[-1]


# Ways to partial derivatives: (function, x, list of axes) -> (number of partials, n, m) ------


def _along(function, directions):
    """The nested derivative of a function of `(n, d)` along constant vectors."""
    for v in directions:
        function = functools.partial(_jvp, function, v)
    return function


def _jvp(function, v, x):
    return jax.jvp(function, (x,), (jnp.broadcast_to(v, x.shape),))[1]


def _each(function, rows):
    """A function of each row, stacked."""
    if len(rows) > FEW:
        return jax.vmap(function)(rows)
    return jnp.stack([function(row) for row in rows])


def by_jvp(function, x, axes):
    """Forward over forward."""
    units = jnp.eye(x.shape[1], dtype=x.dtype)[np.array(axes, int)]
    return _each(lambda directions: _along(function, directions)(x), units)


def by_grad(function, x, axes):
    """Forward over reverse."""
    if not axes[0]:
        return function(x)[None]
    gradients = jax.vmap(jax.jacrev(lambda point: function(point[None])[0]))  # (n, m, d)
    units = jnp.eye(x.shape[1], dtype=x.dtype)[np.array(axes, int)]
    return _each(lambda each: _along(gradients, each[1:])(x) @ each[0], units)


def by_jet(function, x, axes):
    """Univariate Taylor series along lines."""
    order = len(axes[0])
    if not order:
        return function(x)[None]
    combinations = [lines(each) for each in axes]
    directions = sorted({direction for each in combinations for direction in each})
    vectors = jnp.array([vector(v, x.shape[1]) for v in directions], x.dtype)
    found = _each(lambda v: _series(function, x, v, order), vectors)
    if all(each == {v: 1.0} for each, v in zip(combinations, directions, strict=False)):
        return found
    factors = np.array([[each.get(v, 0.0) for v in directions] for each in combinations])
    return jnp.tensordot(jnp.array(factors, x.dtype), found, 1)


def _series(function, x, v, order):
    series = [jnp.broadcast_to(v, x.shape)] + [jnp.zeros_like(x)] * (order - 1)
    return jet(function, (x,), (series,))[1][-1]


WAYS = {"jvp": by_jvp, "jvp of grad": by_grad, "jet": by_jet}


def forward_laplacian(weights, x):
    """Value, gradient and Laplacian in one pass, written by hand for a tanh network."""
    z = x @ weights[0] + weights[1]
    gradient, laplacian = weights[0][:, None, :], 0.0
    for kernel, bias in zip(weights[2::2], weights[3::2], strict=True):
        y = jnp.tanh(z)
        slope = 1 - y**2
        laplacian = slope * (laplacian - 2 * y * (gradient**2).sum(0))
        gradient = slope * gradient
        z, gradient, laplacian = y @ kernel + bias, gradient @ kernel, laplacian @ kernel
    return laplacian


# Steps -------------------------------------------------------------------------------------


def arrays(result):
    """What a step returns, in numpy."""
    return [np.asarray(each) for each in result]


def steps(case):
    """Dict from `(name, "XLA")` to a function that returns the gradient of the loss."""
    operator = OPERATORS[case.operator]
    names = ["forward Laplacian"] * (operator.names == ["laplacian_u"]) + list(WAYS)
    weights, x = [jnp.array(w) for w in case.weights()], jnp.array(case.x())
    return {(f"JAX {name}", "XLA"): _step(operator, name, weights, x) for name in names}


def _step(operator, name, weights, x):
    def loss(weights, x):
        residuals = operator.reference(_values(operator, name, weights, x))
        return sum(jnp.mean(r**2) for r in residuals)

    step = jax.jit(jax.grad(loss))
    return lambda: jax.block_until_ready(step(weights, x))


def _values(operator, name, weights, x):
    if name not in WAYS:
        return {"laplacian_u": forward_laplacian(weights, x)}
    function = functools.partial(network, weights)
    stacks = {k: WAYS[name](function, x, axes) for k, axes in partials(operator).items()}
    return assemble(operator, stacks, functools.partial(jnp.concatenate, axis=1))


def sine(case, epochs, rate):
    """The sine problem: functions as in `steps` that run epochs of Adam and return the loss."""
    x = jnp.array(case.x())

    def loss(weights):
        u, u_x = jax.jvp(lambda x: network(weights, x), (x,), (jnp.ones_like(x),))
        return jnp.mean((u - jnp.sin(x)) ** 2) + jnp.mean((u_x - jnp.cos(x)) ** 2)

    def epoch(state, _):
        value, gradient = jax.value_and_grad(loss)(state[0])
        return _adam(state, gradient, rate), value

    train = jax.jit(lambda state: jax.lax.scan(epoch, state, length=epochs))
    start = [jnp.array(w) for w in case.weights()]
    zeros = [jnp.zeros_like(w) for w in start]
    last = [(start, zeros, list(zeros), jnp.ones((), x.dtype))]

    def run():
        last[0], losses = jax.block_until_ready(train(last[0]))
        return [losses[-1]]

    return {("JAX jvp, epochs in one scan", "XLA"): run}


def _adam(state, gradient, rate):
    """One step of Adam as Keras does it."""
    weights, first, second, count = state
    first = [0.9 * m + 0.1 * g for m, g in zip(first, gradient, strict=True)]
    second = [0.999 * v + 0.001 * g**2 for v, g in zip(second, gradient, strict=True)]
    step = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    moved = zip(weights, first, second, strict=True)
    weights = [w - step * m / (jnp.sqrt(v) + 1e-7) for w, m, v in moved]
    return weights, first, second, count + 1
