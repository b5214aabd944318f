"""Jets through an operation that has no rule, by the gradients that TensorFlow has for it.

With the nilpotent part `n = sum of n_i q_i`, `f(z + n)` is the sum over `m` of
`1/m! D^m f(z)[n, ..., n]`: directional derivatives times structure constants of the algebra. A
directional derivative is the gradient of a gradient: `d/dw of v . (w . grad f)`.
"""

import math

import tensorflow as tf

from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, value_of
from kpinn.derivatives.channels.product_rules import times
from kpinn.derivatives.errors import LostError, UnsupportedError, describe


def generic(call, *inputs):
    """The outputs of an operation on jets.

    Raises:
        UnsupportedError: if TensorFlow lacks a gradient that is needed, or the outputs are no real
            numbers.
        ValueError: if TensorFlow takes the derivative for zero since it has none.
    """
    inputs = [full(value) for value in inputs]
    if not call.operation.outputs:  # such as a summary
        return call.emit_values(*inputs)
    moving = [i for i, value in enumerate(inputs) if isinstance(value, Jet)]
    _refuse_types(call, moving)
    point = [inputs[i].value for i in moving]

    def function(*moved):
        arguments = [value_of(value) for value in inputs]
        for i, value in zip(moving, moved, strict=True):
            arguments[i] = value
        return [value for value in call.emit(*arguments) if value.dtype.is_floating]

    try:
        missing = _without_gradient(function, point)
        channels = _channels(call.algebra, function, point, [inputs[i] for i in moving])
    except (LookupError, ValueError, tf.errors.OpError) as error:
        raise UnsupportedError(f"{describe(call.operation)}: {error}") from error
    for i in missing:
        raise LostError(
            f"{describe(call.operation)} has no derivative in TensorFlow with respect to its input "
            f"{moving[i]}, which depends on the coordinates. Add a rule for it by "
            "kpinn.derivatives.register, or use method='finite_difference'."
        )
    outputs, floating = call.emit_values(*inputs), iter(range(len(channels[0])))
    return [
        Jet(call.algebra, (value, *(_at(part, k) for part in channels[1:])))
        if value.dtype.is_floating and (k := next(floating)) is not None
        else value
        for value in outputs
    ]


def _refuse_types(call, moving):
    """Derivatives must not be lost in lists of tensors, complex numbers or integers."""
    used = [call.operation.inputs[i].dtype for i in moving]
    outputs = [tensor.dtype for tensor in call.operation.outputs]
    lost = [d for d in outputs if d in (tf.variant, tf.resource) or d.is_complex or d.is_quantized]
    if not all(d.is_floating for d in used) or lost or not any(d.is_floating for d in outputs):
        names = ", ".join(sorted({d.name for d in outputs}))
        raise UnsupportedError(f"{describe(call.operation)} returns {names}")


def _without_gradient(function, point):
    """Positions of inputs for which TensorFlow's gradient of the operation is `None`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        outputs = function(*point)
    gradients = tape.gradient(outputs, point)
    return [i for i, gradient in enumerate(gradients) if gradient is None]


def _at(part, k):
    return None if part is None else part[k]


def _channels(algebra, function, point, jets):
    """For each channel the list of outputs, or `None`."""
    directions = {
        k: [_or_zero(jet, k) for jet in jets]
        for k in range(1, len(algebra))
        if any(jet.channels[k] is not None for jet in jets)
    }
    found, sums = {}, [function(*point)] + [None] * (len(algebra) - 1)
    for k, several in _expansions(algebra).items():
        for (factor, parts), constant in several.items():
            if all(part in directions for part in parts):
                if parts not in found:
                    found[parts] = _along(function, point, [directions[part] for part in parts])
                terms = [
                    times(algebra.factors.get(factor), float(constant) * term)
                    for term in found[parts]
                ]
                sums[k] = (
                    terms
                    if sums[k] is None
                    else [a + b for a, b in zip(sums[k], terms, strict=True)]
                )
    return sums


def _or_zero(jet, k):
    return tf.zeros_like(jet.value) if jet.channels[k] is None else jet.channels[k]


def _expansions(algebra):
    """For each channel the constants of `factor D^m f[n_i, n_j, ...] / m!`.

    Returns:
        A dict from channel to a dict from `(factor, sorted (i, j, ...))` to a number.
    """
    nilpotent = range(1, len(algebra))
    power = {k: {(None, (k,)): 1} for k in nilpotent}
    found = {k: dict(power[k]) for k in nilpotent}
    for m in range(2, algebra.order + 1):
        higher = {k: {} for k in nilpotent}
        for k in nilpotent:
            for factor, rows in algebra.products[k]:
                for i, j, constant in rows:
                    for left, right in {(i, j), (j, i)}:
                        # What is multiplied has no factors: no channel of a sum is part of others.
                        for (_, parts), number in power[right].items():
                            key = factor, tuple(sorted((left, *parts)))
                            higher[k][key] = higher[k].get(key, 0) + constant * number
        power = higher
        for k in nilpotent:
            for key, constant in power[k].items():
                found[k][key] = found[k].get(key, 0) + constant / math.factorial(m)
    return found


def _along(function, point, directions):
    """The derivative of a function along one direction after another, at a point."""
    for direction in directions:
        function = _derivative(function, direction)
    return function(*point)


def _derivative(function, direction):
    def derivative(*point):
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as outer:
            weights = None
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(point)
                outputs = function(*point)
            weights = [tf.zeros_like(output) for output in outputs]
            outer.watch(weights)
            gradients = inner.gradient(outputs, point, output_gradients=weights)
            pairs = [(g, d) for g, d in zip(gradients, direction, strict=True) if g is not None]
            products = [tf.reduce_sum(tf.convert_to_tensor(g) * d) for g, d in pairs]
            total = tf.add_n(products) if products else None
        if total is None:
            return [tf.zeros_like(output) for output in outputs]
        found = outer.gradient(total, weights)
        return [
            tf.zeros_like(output) if value is None else tf.convert_to_tensor(value)
            for output, value in zip(outputs, found, strict=True)
        ]

    return derivative
