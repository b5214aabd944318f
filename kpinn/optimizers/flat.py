"""Parameters as one flat vector."""

import math

import keras
import numpy as np
import tensorflow as tf

from kpinn.derivatives.columns import float_tensor
from kpinn.options import shown
from kpinn.options.arrays import without_lists


def join(tensors, dtype=None):
    """One vector `(p,)` of all entries of the tensors, in order, cast to `dtype`."""
    flat = [tf.reshape(tensor, (-1,)) for tensor in tensors]
    return tf.concat(flat if dtype is None else [tf.cast(part, dtype) for part in flat], axis=0)


def split(theta, variables):
    """The inverse of `join`: a list of tensors with the shapes and dtypes of `variables`."""
    sizes = [math.prod(variable.shape) for variable in variables]
    parts = tf.split(theta, sizes)
    return [
        tf.cast(tf.reshape(part, variable.shape), variable.dtype)
        for part, variable in zip(parts, variables, strict=True)
    ]


def assign(variables, theta):
    """Sets variables to the entries of a flat vector `(p,)`, a tensor or an array."""
    parts = split(tf.convert_to_tensor(theta), variables)
    for variable, value in zip(variables, parts, strict=True):
        variable.assign(value)


def within(theta, bounds):
    """Parameters `(p,)`, on the bound instead of beyond it; `bounds` are a pair or `None`."""
    return theta if bounds is None else tf.minimum(tf.maximum(theta, bounds[0]), bounds[1])


def leaving(theta, direction, bounds):
    """Which parameters `(p,)` are on a bound, and would go beyond it along a direction `(p,)`."""
    lower, upper = bounds
    return ((theta <= lower) & (direction < 0)) | ((theta >= upper) & (direction > 0))


def epsilon(dtype):
    """The rounding error of a dtype, a float."""
    return float(np.finfo(tf.as_dtype(dtype).as_numpy_dtype).eps)


def destructure(model):
    """A model as a function of its parameters and its input.

    Args:
        model: a built Keras model (a `kpinn.PINN` too), with `p` trainable parameters.

    Returns:
        A pair `theta, apply`. `theta` is a tensor `(p,)` with the present values;
        `apply(theta, x)` equals `model(x)` with these parameters. It is differentiable in both
        and leaves the model as it is.

    Raises:
        ValueError: if the model has no weights yet, or `theta` has the wrong length.

    Example:

        theta, apply = kpinn.destructure(network)

        @tf.function
        def loss_and_gradient(theta):
            with tf.GradientTape() as tape:
                tape.watch(theta)
                loss = tf.reduce_mean((apply(theta, x) - y) ** 2)
            return loss, tape.gradient(loss, theta)

        result = scipy.optimize.minimize(
            lambda theta: [value.numpy() for value in loss_and_gradient(tf.constant(theta))],
            theta.numpy(), jac=True, method="L-BFGS-B",
        )
    """
    if not isinstance(model, keras.layers.Layer):
        raise ValueError(f"model is {shown(model)}: expected a Keras model.")
    if not model.built or not model.trainable_variables:
        raise ValueError(
            f"model {model.name!r} has no parameters yet: build it first, for example by calling "
            "it on an array of points."
        )
    variables = list(model.trainable_variables)
    count = sum(math.prod(variable.shape) for variable in variables)

    @tf.autograph.experimental.do_not_convert
    def apply(theta, x):
        theta = float_tensor("theta", theta, tf.as_dtype(variables[0].dtype))
        wanted = f"expected ({count},), one number for each parameter."
        if theta.shape.rank not in (None, 1) or theta.shape.num_elements() not in (None, count):
            raise ValueError(f"theta has the shape {tuple(theta.shape)}: {wanted}")
        if theta.shape.num_elements() is None:  # in a graph
            tf.debugging.assert_equal(
                tf.shape(theta), [count], f"theta has another shape: {wanted}"
            )
        state = [variable.value for variable in model.non_trainable_variables]
        outputs, _ = model.stateless_call(split(theta, variables), state, without_lists("x", x))
        return outputs

    return join([variable.value for variable in variables]), apply
