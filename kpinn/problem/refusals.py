"""Checks of a PINN before it trains. Nothing is left to be found out by a wrong result."""

import keras
import tensorflow as tf

from kpinn.derivatives.api import stopped_message
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.stop_gradient import stopped_moments
from kpinn.derivatives.tracing import graph_of
from kpinn.problem.points import minus_target

NOT_POINTWISE = (
    keras.layers.AlphaDropout,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)


def check_conditions(pinn, functions):
    """Raises `ValueError` without conditions, or for names that would collide in the logs."""
    if not functions:
        raise ValueError(
            f"{type(pinn).__name__} has no condition: mark a method with @kpinn.condition or pass "
            "conditions=[...]."
        )
    names = [function.name for function in functions]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or "loss" in names:
        raise ValueError(
            f"{repeated or 'loss'} cannot name a condition: each needs a name of its own for the "
            "logs, and 'loss' is their sum."
        )


def refuse_wrong_derivatives(problem, function, method, lowest_order):
    """Raises `ValueError` if nested tapes are wrong for a condition; see `stop_gradient`.

    Args:
        problem: the `Problem`.
        function: a condition.
        method: its resolved method.
        lowest_order: 2 where values matter, 1 where gradients of derivatives matter too.
    """
    order = problem.order(function)
    if method not in ("reverse", "forward") or order < lowest_order:
        return
    graph = graph_of(problem.network, problem.space.input_size, problem.dtype)
    stopped = stopped_moments(graph)
    if stopped:
        what = f"condition {function.name!r} (derivatives of order {order})"
        raise ValueError(stopped_message(stopped, method, what))


def check_settings(network, validation_split, class_weight):
    """Raises `ValueError` for settings of `fit` and layers that make no sense for points."""
    if validation_split or class_weight is not None:
        raise ValueError(
            "validation_split and class_weight have no meaning for sets of points: pass "
            "validation_data, or sample_weight by condition."
        )
    random = [
        layer.name
        for layer in all_layers(network)
        if isinstance(layer, NOT_POINTWISE) and layer.trainable
    ]
    if random:
        raise ValueError(
            f"the network has {', '.join(random)}: dropout, noise and batch statistics have no "
            "pointwise derivative, and without them the layer does nothing in training. Leave the "
            "layer out, or set trainable = False to use it as in inference."
        )


def check_start(data, residuals):
    """Raises `ValueError` for residuals that are not finite or do not fit their targets."""
    for name, residual in residuals.items():
        bad = int(tf.math.count_nonzero(~tf.reduce_all(tf.math.is_finite(residual), axis=1)))
        if bad:
            raise ValueError(
                f"condition {name!r} is NaN or infinite at {bad} of {residual.shape[0]} points "
                "before the first step: look at the points where it divides, takes a root or a "
                "logarithm."
            )
        minus_target(name, residual, data.targets.get(name))


def checked_residual(name, residual, points, dtype):
    """What a condition returned, as a tensor `(n, k)`.

    Args:
        name: name of the condition.
        residual: what it returned.
        points: a tensor `(n, d)`.
        dtype: dtype of the network.

    Raises:
        ValueError: for anything but one tensor `(n, k)` or `(n,)`.
    """
    if residual is None or isinstance(residual, dict | list | tuple):
        raise ValueError(
            f"condition {name!r} returned {type(residual).__name__}: expected one tensor (n, 1) "
            "or (n, k); put several equations side by side with ops.concatenate([a, b], axis=1)."
        )
    residual = tf.cast(tf.convert_to_tensor(residual), dtype)
    check_shape(name, residual.shape, points.shape[0])
    return residual[:, None] if residual.shape.rank == 1 else residual


def check_shape(name, shape, count):
    """Raises `ValueError` for a residual that is not `(n, k)` or `(n,)` for `count` points."""
    shape = tf.TensorShape(shape)
    if not _fits(shape, count):
        raise ValueError(
            f"condition {name!r} returned the shape {tuple(shape)} for {count or 'n'} points: "
            "expected (n, 1) or (n, k). An array (n,) that meets a (n, 1) is broadcast to (n, n): "
            "give it the shape (n, 1); a constant does not depend on the points: multiply it by "
            "ops.ones_like of a field."
        )


def _fits(shape, count):
    if shape.rank not in (1, 2) or (None not in (shape[0], count) and shape[0] != count):
        return False
    if shape.rank == 1 or None in (shape[1], count):
        return True
    return shape[1] != count or count <= 64  # by chance k may be n for a few points
