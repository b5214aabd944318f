"""Taylor coefficients through single functions and operations, and what must be refused.

References are numbers of 50 digits from mpmath; see `test_taylor_models` for whole models.
"""

import functools
import inspect
import itertools
import types

import exact_layers as exact
import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from derivative_checks import MIXED, STRICT, TOLERANCE, check
from exact_layers import error
from mpmath import mp
from tensorflow.python.framework import op_def_registry

import kpinn
from kpinn.derivatives.errors import UnsupportedError
from kpinn.derivatives.graphs import emission
from kpinn.derivatives.graphs.emission import emit, signature
from kpinn.derivatives.operations.table import TABLE
from kpinn.derivatives.tensorflow_private import function_graph

POINTS = np.array([[0.375, -0.625], [-0.8125, 0.4375]])


# Activations -----------------------------------------------------------------------------------

# Kinks are at -1, -0.5, 0, 0.5, 1 and, for some, at -3, 3 and 6: no value is near one.
LINE = np.concatenate([np.linspace(-3.77, 3.71, 11), [-6.8, 6.4]]).astype("float32")[:, None]
SCALES = np.array([[1.0, -0.625, 0.375, 0.75]])  # of the inputs of activations of a whole vector
TO_SIXTH_ORDER = ["x" * order for order in range(7)]


def keras_activation(name):
    function = getattr(keras.activations, name, None) or getattr(keras.ops, name)
    if name == "threshold":
        return functools.partial(function, threshold=0.5, default_value=0.0)
    return function


@pytest.mark.parametrize("name", sorted(references.ELEMENTWISE | references.WHOLE))
def test_activations_of_keras_to_sixth_order(name):
    scales = SCALES if name in references.WHOLE else np.ones((1, 1))
    function, reference = keras_activation(name), references.activation(name)
    check(
        lambda x: function(x * tf.constant(scales, x.dtype)),
        lambda point: reference(point * references.exact(scales[0])),
        LINE,
        TO_SIXTH_ORDER,
        TOLERANCE,
    )


@pytest.mark.parametrize("name", sorted(references.ELEMENTWISE | references.WHOLE))
def test_activations_of_keras_in_two_dimensions(name):
    slopes = np.array([[0.75, -1.5, 0.5, 1.25], [-0.5, 0.25, 1.75, 0.5]])
    function, reference = keras_activation(name), references.activation(name)
    check(
        lambda x: function(x @ slopes + x[:, :1] * x[:, 1:] + 0.0625),
        lambda p: reference(p @ references.exact(slopes) + p[0] * p[1] + mp.mpf(1) / 16),
        POINTS,
    )


def test_sparsemax():
    """Keras 3.15's values are not those of the literature, but the derivatives are theirs."""
    names = "u, u_x, u_xx"
    scales = tf.constant([[1.0, 0.5, -0.25]], tf.float64)
    points = np.array([0.6, 1.1])

    def function(x):
        return keras.activations.sparsemax(x * scales)

    values = kpinn.derivatives(function, {"x": points}, names, fields="u[3]", method=STRICT)
    step = 2.0**-10  # of a function of straight pieces, whose differences are exact
    upper, lower = (function(tf.constant(points[:, None] + s)) for s in (step, -step))
    assert error(values["u_x"], (upper - lower) / (2 * step)) < 1e-12
    assert not np.any(values["u_xx"])


# Functions of TensorFlow -----------------------------------------------------------------------

FUNCTIONS = {  # the function, the reference and an interval
    "acos": (tf.acos, mp.acos, (-0.9, 0.9)),
    "acosh": (tf.acosh, mp.acosh, (1.2, 4.0)),
    "asin": (tf.asin, mp.asin, (-0.9, 0.9)),
    "asinh": (tf.asinh, mp.asinh, (-3.0, 3.0)),
    "atan": (tf.atan, mp.atan, (-3.0, 3.0)),
    "atanh": (tf.atanh, mp.atanh, (-0.9, 0.9)),
    "cos": (tf.cos, mp.cos, (-3.0, 3.0)),
    "cosh": (tf.cosh, mp.cosh, (-3.0, 3.0)),
    "digamma": (tf.math.digamma, mp.digamma, (0.5, 5.0)),
    "erf": (tf.math.erf, mp.erf, (-3.0, 3.0)),
    "erfc": (tf.math.erfc, mp.erfc, (-3.0, 3.0)),
    "exp": (tf.exp, mp.exp, (-3.0, 3.0)),
    "expm1": (tf.math.expm1, mp.expm1, (-3.0, 3.0)),
    "lgamma": (tf.math.lgamma, mp.loggamma, (0.5, 5.0)),
    "log": (tf.math.log, mp.log, (0.2, 5.0)),
    "log_sigmoid": (tf.math.log_sigmoid, references.ELEMENTWISE["log_sigmoid"], (-5.0, 5.0)),
    "log1p": (tf.math.log1p, mp.log1p, (-0.7, 5.0)),
    "polygamma": (
        lambda x: tf.math.polygamma(tf.constant(2.0, x.dtype), x),
        lambda x: mp.polygamma(2, x),
        (0.5, 5.0),
    ),
    "reciprocal": (tf.math.reciprocal, lambda x: 1 / x, (-3.0, -0.3)),
    "rsqrt": (tf.math.rsqrt, lambda x: 1 / mp.sqrt(x), (0.3, 4.0)),
    "sinh": (tf.sinh, mp.sinh, (-3.0, 3.0)),
    "sqrt": (tf.sqrt, mp.sqrt, (0.3, 4.0)),
    "square": (tf.square, lambda x: x**2, (-3.0, 3.0)),
    "tan": (tf.tan, mp.tan, (-1.3, 1.3)),
    "negative": (lambda x: -tf.abs(x), lambda x: -abs(x), (0.5, 3.0)),
    "quotient": (lambda x: tf.sin(x) / (2.0 + x), lambda x: mp.sin(x) / (2 + x), (-1.5, 3.0)),
    "power 0": (lambda x: x**0, lambda x: mp.mpf(1), (-2.0, 2.0)),
    "power 1": (lambda x: x**1, lambda x: x, (-2.0, 2.0)),
    "power 2": (lambda x: x**2, lambda x: x**2, (-2.0, 2.0)),
    "power 3": (lambda x: x**3, lambda x: x**3, (-2.0, 2.0)),
    "power 11": (lambda x: x**11, lambda x: x**11, (-2.0, 2.0)),
    "power -2": (lambda x: x**-2, lambda x: x**-2, (-3.0, -0.5)),
    "power 2.5": (lambda x: x**2.5, lambda x: x**2 * mp.sqrt(x), (0.3, 3.0)),
    "power -0.5": (lambda x: x**-0.5, lambda x: 1 / mp.sqrt(x), (0.3, 3.0)),
    "power of 2": (lambda x: 2.0**x, lambda x: mp.mpf(2) ** x, (-2.0, 2.0)),
    "power of itself": (lambda x: x**x, lambda x: x**x, (0.3, 2.0)),
    "Gaussian": (lambda x: tf.exp(-(x**2)), lambda x: mp.exp(-(x**2)), (-2.0, 2.0)),
    "sinc": (lambda x: tf.sin(3.0 * x) / x, lambda x: mp.sin(3 * x) / x, (1.0, 3.0)),
    "difference": (
        lambda x: tf.math.squared_difference(tf.sin(x), x),
        lambda x: (mp.sin(x) - x) ** 2,
        (-3.0, 3.0),
    ),
    "xlogy": (lambda x: tf.math.xlogy(x, 1.0 + x), lambda x: x * mp.log(1 + x), (-0.5, 3.0)),
    "xlog1py": (lambda x: tf.math.xlog1py(x, x), lambda x: x * mp.log1p(x), (-0.5, 3.0)),
    "swish of TensorFlow": (tf.nn.silu, references.ELEMENTWISE["silu"], (-3.0, 3.0)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_to_sixth_order(name):
    function, reference, (low, high) = FUNCTIONS[name]
    points = np.linspace(low, high, 5).astype("float32")[:, None]
    check(function, exact.each(reference), points, TO_SIXTH_ORDER, TOLERANCE)


TWO = {  # functions of two columns, of one sign each
    "atan2": (tf.atan2, mp.atan2),
    "atan2, steep": (lambda x, y: tf.atan2(y - 2.0, x), lambda x, y: mp.atan2(y - 2, x)),
    "division": (lambda x, y: x / y, lambda x, y: x / y),
    "division of a number": (lambda x, y: 2.0 / (x + y), lambda x, y: 2 / (x + y)),
    "divide_no_nan": (tf.math.divide_no_nan, lambda x, y: x / y),
    "truncatemod": (
        lambda x, y: tf.truncatemod(4.0 * x, y),
        lambda x, y: 4 * x - y * mp.mpf(int(4 * x / y)),
    ),
    "floormod": (lambda x, y: tf.math.floormod(4.0 * x, y), lambda x, y: (4 * x) % y),
    "maximum": (lambda x, y: tf.maximum(x * y, tf.sin(x)), lambda x, y: max(x * y, mp.sin(x))),
    "minimum": (lambda x, y: tf.minimum(x * y, 0.25), lambda x, y: min(x * y, mp.mpf(1) / 4)),
    "multiply_no_nan": (tf.math.multiply_no_nan, lambda x, y: x * y),
    "power": (lambda x, y: (x + 2.0) ** (y * x), lambda x, y: (x + 2) ** (y * x)),
    "rotation": (
        lambda x, y: tf.sqrt(x**2 + y**2) * tf.sin(3.0 * tf.atan2(y, x)),
        lambda x, y: mp.sqrt(x**2 + y**2) * mp.sin(3 * mp.atan2(y, x)),
    ),
    "clip": (
        lambda x, y: tf.clip_by_value(x * y, -0.3, y + 0.5),
        lambda x, y: min(max(x * y, mp.mpf(-0.3)), y + mp.mpf(1) / 2),
    ),
    "where": (
        lambda x, y: tf.where(x > 0, tf.sin(x * y), 2.0),
        lambda x, y: mp.sin(x * y) if x > 0 else mp.mpf(2),
    ),
    "floor": (lambda x, y: tf.floor(4.0 * x) * y, lambda x, y: mp.floor(4 * x) * y),
    "sign": (
        lambda x, y: tf.sign(x) * y**2 + tf.round(y),
        lambda x, y: mp.sign(x) * y**2 + round(y),
    ),
    "xdivy": (tf.math.xdivy, lambda x, y: x / y),
}


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_columns(name):
    function, reference = TWO[name]
    check(lambda x: function(x[:, :1], x[:, 1:]), lambda p: np.array([reference(*p)]), POINTS)


# Operations on arrays --------------------------------------------------------------------------


def features(x):
    """Six functions of two coordinates, as an array `(n, 2, 3)`."""
    x, y = x[:, :1], x[:, 1:]
    rows = [tf.sin(2.0 * x), x * y, tf.exp(y), x + 2.0 * y, tf.cos(x * y), x**2 - y]
    return tf.reshape(tf.concat(rows, axis=1), (-1, 2, 3))


def exact_features(point):
    x, y = point
    rows = [mp.sin(2 * x), x * y, mp.exp(y), x + 2 * y, mp.cos(x * y), x**2 - y]
    return np.array(rows).reshape(2, 3)


def spectral(x):
    """A symmetric positive definite matrix `(n, 2, 2)`."""
    return tf.matmul(x, x, transpose_b=True) + tf.eye(2, dtype=x.dtype)


def exact_spectral(x):
    return x @ x.T + references.exact(np.eye(2))


SIX = np.arange(1.0, 7.0).reshape(2, 3)
ARRAYS = {
    "band_part": (lambda x: tf.linalg.band_part(x, 0, 1), lambda x: x * [[1, 1, 0], [0, 1, 1]]),
    "batches": (
        lambda x: tf.batch_to_space(
            tf.sin(tf.space_to_batch(x[..., None], [2, 1], [[0, 0]] * 2)), [2, 1], [[0, 0]] * 2
        ),
        exact.sin,
    ),
    "boolean_mask": (
        lambda x: tf.ensure_shape(tf.boolean_mask(x, [True, False, True], 2), (None, 2, 2)),
        lambda x: x[:, ::2],
    ),
    "broadcast_to": (
        lambda x: tf.broadcast_to(x[:, :, None], (tf.shape(x)[0], 2, 2, 3)),
        lambda x: np.stack([x, x], axis=1),
    ),
    "concat with a constant": (
        lambda x: tf.concat([tf.ones_like(x), x, 2.0 * tf.ones_like(x[:, :1])], 1),
        lambda x: np.concatenate([0 * x + 1, x, 0 * x[:1] + 2]),
    ),
    "cross": (
        lambda x: tf.linalg.cross(x[:, 0], x[:, 1]),
        lambda x: np.cross(x[0], x[1]),
    ),
    "cumprod": (lambda x: tf.math.cumprod(x, 2), lambda x: np.cumprod(x, 1)),
    "cumprod, exclusive": (
        lambda x: tf.math.cumprod(x, 2, exclusive=True),
        lambda x: np.cumprod(np.hstack([0 * x[:, :1] + 1, x[:, :2]]), 1),
    ),
    "cumprod, reverse": (
        lambda x: tf.math.cumprod(x, -1, reverse=True),
        lambda x: np.cumprod(x[:, ::-1], 1)[:, ::-1],
    ),
    "cumsum": (lambda x: tf.cumsum(x, 1), lambda x: np.cumsum(x, 0)),
    "cumsum, exclusive reverse": (
        lambda x: tf.cumsum(x, 2, exclusive=True, reverse=True),
        lambda x: np.stack([x[:, 1] + x[:, 2], x[:, 2], 0 * x[:, 0]], axis=1),
    ),
    "cumulative_logsumexp": (
        lambda x: tf.math.cumulative_logsumexp(100.0 * x, 2, exclusive=True, reverse=True)[..., :2],
        lambda x: np.stack([exact.log(exact.exp(100 * x[:, 1:]).sum(1)), 100 * x[:, 2]], 1),
    ),
    "diag": (
        lambda x: tf.linalg.diag(x[:, 0], padding_value=3.0),
        lambda x: np.where(np.eye(3) > 0, np.diag(x[0]), mp.mpf(3)),
    ),
    "diag_part": (
        lambda x: tf.linalg.diag_part(x, k=(0, 2), padding_value=5.0),
        lambda x: np.array([[mp.mpf(5), x[0, 2]], [x[0, 1], x[1, 2]], [x[0, 0], x[1, 1]]]),
    ),
    "einsum of two": (
        lambda x: tf.einsum("nij,nkj->nik", x, tf.sin(x)),
        lambda x: x @ exact.sin(x).T,
    ),
    "einsum with a weight": (
        lambda x: tf.einsum("...ij,ij->...j", x, SIX),
        lambda x: (x * SIX).sum(0),
    ),
    "einsum of one": (lambda x: tf.einsum("nij->nji", x), lambda x: x.T),
    "expand and squeeze": (
        lambda x: tf.squeeze(tf.sin(tf.expand_dims(tf.expand_dims(x, 1), -1)), [1, 4]),
        exact.sin,
    ),
    "gather": (lambda x: tf.gather(x, [2, 0, 2], axis=2), lambda x: x[:, [2, 0, 2]]),
    "gather, batches": (
        lambda x: tf.gather(x, tf.argmax(x, axis=2), axis=2, batch_dims=2),
        lambda x: x.max(1),
    ),
    "gather_nd": (
        lambda x: tf.gather_nd(x, tf.tile([[[0, 2], [1, 1]]], [tf.shape(x)[0], 1, 1]), 1),
        lambda x: np.array([x[0, 2], x[1, 1]]),
    ),
    "inner product": (
        lambda x: tf.reduce_sum(x[:, 0] * x[:, 1], axis=-1, keepdims=True),
        lambda x: (x[0] * x[1]).sum(keepdims=True),
    ),
    "l2_normalize": (
        lambda x: tf.math.l2_normalize(x, axis=[1, 2]),
        lambda x: x / mp.sqrt((x**2).sum()),
    ),
    "logsumexp": (
        lambda x: tf.reduce_logsumexp(x, axis=2),
        lambda x: exact.log(exact.exp(x).sum(1)),
    ),
    "matmul of jets": (lambda x: tf.matmul(x, x, transpose_a=True), lambda x: x.T @ x),
    "matmul with a weight": (lambda x: tf.matmul(SIX.T, x), lambda x: SIX.T @ x),
    "matvec": (lambda x: tf.linalg.matvec(x, x[:, 0]), lambda x: x @ x[0]),
    "max": (lambda x: tf.reduce_max(x, axis=2), lambda x: x.max(1)),
    "max of all": (lambda x: tf.reduce_max(x, axis=[1, -1], keepdims=True), lambda x: x.max()),
    "mean": (lambda x: tf.reduce_mean(tf.sin(x), [1, 2]), lambda x: exact.sin(x).sum() / 6),
    "min": (lambda x: tf.reduce_min(x, axis=1), lambda x: x.min(0)),
    "norm": (lambda x: tf.norm(x, axis=2), lambda x: exact.sqrt((x**2).sum(1))),
    "norm, euclidean": (
        lambda x: tf.math.reduce_euclidean_norm(x, axis=2),
        lambda x: exact.sqrt((x**2).sum(1)),
    ),
    "pad": (
        lambda x: tf.pad(x, [[0, 0], [1, 0], [0, 2]], constant_values=7.0),
        lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=mp.mpf(7)),
    ),
    "pad, reflect": (
        lambda x: tf.pad(x, [[0, 0], [0, 1], [2, 1]], "REFLECT"),
        lambda x: x[[0, 1, 0]][:, [2, 1, 0, 1, 2, 1]],
    ),
    "prod": (lambda x: tf.reduce_prod(x, axis=2), lambda x: x.prod(1)),
    "prod, kept": (lambda x: tf.reduce_prod(x, axis=[1, 2], keepdims=True), lambda x: x.prod()),
    "repeat": (lambda x: tf.repeat(x, [2, 1], axis=1), lambda x: x[[0, 0, 1]]),
    "reverse": (lambda x: tf.reverse(x, [2]), lambda x: x[:, ::-1]),
    "roll": (lambda x: tf.roll(x, 1, 2), lambda x: np.roll(x, 1, 1)),
    "scatter_nd": (
        lambda x: tf.transpose(
            tf.scatter_nd([[3], [1]], tf.transpose(x, (1, 0, 2)), (4, tf.shape(x)[0], 3)), (1, 0, 2)
        ),
        lambda x: np.array([0 * x[0], x[1], 0 * x[0], x[0]]),
    ),
    "set_diag": (
        lambda x: tf.linalg.set_diag(x, tf.sin(x[:, 0, :2])),
        lambda x: np.where(
            np.eye(2, 3) > 0, np.pad(np.diag(exact.sin(x[0, :2])), ((0, 0), (0, 1))), x
        ),
    ),
    "softmax": (tf.nn.softmax, exact.softmax),
    "softmax of another axis": (
        lambda x: tf.nn.softmax(x, axis=1),
        lambda x: exact.softmax(x, axis=0),
    ),
    "sort": (lambda x: tf.sort(x, axis=2), lambda x: np.sort(x, axis=1)),
    "sort, descending": (
        lambda x: tf.sort(x, axis=1, direction="DESCENDING"),
        lambda x: np.sort(x, axis=0)[::-1],
    ),
    "sparse product": (
        lambda x: tf.transpose(
            tf.sparse.sparse_dense_matmul(tf.sparse.from_dense(SIX), tf.transpose(x[:, 0]))
        ),
        lambda x: SIX @ x[0],
    ),
    "split": (lambda x: tf.split(x, 3, axis=2)[1], lambda x: x[:, 1:2]),
    "split, sizes": (lambda x: tf.split(x, [1, 2], axis=2)[1], lambda x: x[:, 1:]),
    "squares and a number": (lambda x: 3.0 - x * x, lambda x: 3 - x * x),
    "stack": (
        lambda x: tf.stack([x, tf.ones_like(x), x * x], 2),
        lambda x: np.stack([x, 0 * x + 1, x * x], 1),
    ),
    "standard deviation": (
        lambda x: tf.math.reduce_std(x, axis=2),
        lambda x: exact.sqrt(((x - x.sum(1, keepdims=True) / 3) ** 2).sum(1) / 3),
    ),
    "moments": (
        lambda x: tf.concat(tf.nn.moments(x, [2]), axis=1),
        lambda x: np.concatenate(
            [x.sum(1) / 3, ((x - x.sum(1, keepdims=True) / 3) ** 2).sum(1) / 3]
        ),
    ),
    "tensordot": (lambda x: tf.tensordot(x, SIX.T, 1), lambda x: x @ SIX.T),
    "tensor_scatter_nd_update": (
        lambda x: tf.transpose(
            tf.tensor_scatter_nd_update(tf.transpose(x, (1, 0, 2)), [[1]], [tf.sin(x[:, 0])]),
            (1, 0, 2),
        ),
        lambda x: np.array([x[0], exact.sin(x[0])]),
    ),
    "tile": (lambda x: tf.tile(x, [1, 2, 1]), lambda x: np.tile(x, (2, 1))),
    "top_k": (lambda x: tf.math.top_k(x, 2).values, lambda x: np.sort(x, 1)[:, :0:-1]),
    "trace": (
        lambda x: tf.linalg.trace(spectral(x))[:, None],
        lambda x: np.trace(exact_spectral(x)),
    ),
    "transpose": (lambda x: tf.transpose(x, (0, 2, 1)), lambda x: x.T),
    "unstack": (
        lambda x: tf.unstack(x, axis=1)[1] * tf.unstack(x, axis=2)[0][:, :1],
        lambda x: x[1] * x[0, 0],
    ),
    "variance": (
        lambda x: tf.math.reduce_variance(x, axis=[1, 2]),
        lambda x: ((x - x.sum() / 6) ** 2).sum() / 6,
    ),
    "where of rows": (
        lambda x: tf.where(tf.constant([True, False])[:, None], x, tf.sin(x)),
        lambda x: np.array([x[0], exact.sin(x[1])]),
    ),
    "resize": (
        lambda x: tf.raw_ops.ResizeNearestNeighbor(images=x[..., None], size=[4, 3]),
        lambda x: np.repeat(x, 2, 0),
    ),
    "depth_to_space": (
        lambda x: tf.nn.depth_to_space(tf.reshape(tf.tile(x, [1, 1, 2]), (-1, 1, 3, 4)), 2),
        lambda x: np.tile(x, (1, 2)).reshape(3, 2, 2).transpose(1, 0, 2),
    ),
}


def flat(function):
    """The function of the array, as a function of the coordinates `(n, 2) -> (n, m)`."""

    def call(x):
        outputs = function(features(x))
        return tf.reshape(outputs, (tf.shape(x)[0], int(np.prod(outputs.shape[1:]))))

    return call


@pytest.mark.parametrize("name", ARRAYS)
def test_operations_on_arrays(name):
    function, reference = ARRAYS[name]
    check(flat(function), lambda p: np.reshape(reference(exact_features(p)), -1), POINTS)


# Products and sums over many entries -----------------------------------------------------------

RATES = np.linspace(-0.7, 0.9, 64)[:, None] * [[1.0, -0.5]]
ROOTS = np.array([0.5, -0.25, 0.5, 0.0, 1.0, -1.0, 0.125])  # one of them twice
FACTORS = {  # how many, along the last axis of an array (n, 64); which slices are combined
    "prod": (tf.reduce_prod, lambda i, n: range(n)),
    "cumprod": (tf.math.cumprod, lambda i, n: range(i + 1)),
    "exclusive": (lambda x, a: tf.math.cumprod(x, a, exclusive=True), lambda i, n: range(i)),
    "reverse": (lambda x, a: tf.math.cumprod(x, a, reverse=True), lambda i, n: range(i, n)),
    "both": (
        lambda x, a: tf.math.cumprod(x, a, exclusive=True, reverse=True),
        lambda i, n: range(i + 1, n),
    ),
}


@pytest.mark.parametrize("count", [1, 2, 7, 64])
@pytest.mark.parametrize("name", FACTORS)
def test_products_of_exponentials(name, count):
    """A product of `exp(a_k . x)` is `exp` of the sum of `a_k . x`."""
    operation, slices = FACTORS[name]
    rates = tf.constant(RATES[:count].T)

    def function(x):
        return tf.reshape(operation(tf.exp(x @ rates), 1), (-1, 1 if name == "prod" else count))

    columns = 1 if name == "prod" else count
    found = kpinn.derivatives(function, POINTS, "jac_v, laplacian_v", "x y", f"v[{columns}]")
    for i in range(columns):
        total = RATES[list(slices(i, count))].sum(0)
        value = np.exp(POINTS @ total)
        jacobian = found["jac_v"][:, i]
        np.testing.assert_allclose(jacobian, value[:, None] * total, rtol=1e-12, atol=1e-12)
        expected = value * (total @ total)
        np.testing.assert_allclose(found["laplacian_v"][:, i], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FACTORS)
def test_products_with_factors_that_are_zero(name):
    """A product of `x - r_k`, a polynomial, at its roots."""
    operation, slices = FACTORS[name]
    count = 1 if name == "prod" else len(ROOTS)

    def function(x):
        return tf.reshape(operation(x - ROOTS, 1), (-1, count))

    orders = ["v" if k == 0 else "v_" + "x" * k for k in range(4)]
    found = kpinn.derivatives(function, {"x": ROOTS}, orders, fields=f"v[{count}]")
    for i, (k, order) in itertools.product(range(count), enumerate(orders)):
        roots = ROOTS[list(slices(i, len(ROOTS)))]
        expected = np.polyval(np.polyder(np.atleast_1d(np.poly(roots)), k), ROOTS)
        np.testing.assert_allclose(found[order][:, i], expected, atol=1e-13)


@pytest.mark.parametrize(
    "operation", [*(f for f, _ in FACTORS.values()), tf.math.cumulative_logsumexp]
)
def test_the_graph_of_a_product_is_short(operation):
    """It has as many steps as the logarithm of the number of factors."""

    def operations(count):
        def function(x):
            outputs = operation(tf.exp(x @ tf.constant(RATES[:count].T)), 1)
            return outputs[:, None] if outputs.shape.rank == 1 else outputs[:, -1:] * outputs[:, :1]

        @tf.function(autograph=False)
        def compute(x):
            return kpinn.derivatives(function, x, "laplacian_u", "x y")

        spec = tf.TensorSpec((5, 2), tf.float64)
        return len(compute.get_concrete_function(spec).graph.get_operations())

    assert operations(64) < 4 * operations(4)  # six steps and two


# Slices, shapes and structural zeros -----------------------------------------------------------

W = np.array([[0.5, -1.5], [0.25, 1.0], [-0.75, 0.625]])
SLICES = {
    "columns": (lambda x: tf.sin(x[:, 1:2]) * x[:, :1], lambda x, y: [mp.sin(y) * x]),
    "of one column": (lambda x: tf.exp(x[:, :1]), lambda x, y: [mp.exp(x)]),
    "a single column": (lambda x: x[:, 1:], lambda x, y: [y]),
    "both": (lambda x: x, lambda x, y: [x, y]),
    "backwards": (lambda x: tf.sin(x)[:, ::-1], lambda x, y: [mp.sin(y), mp.sin(x)]),
    "ellipsis": (lambda x: x[..., 1:] * x[..., :1], lambda x, y: [x * y]),
    "new axes": (lambda x: tf.cos(x[:, None, 1, None])[:, :, 0], lambda x, y: [mp.cos(y)]),
    "new first axis": (lambda x: x[None][0] * 2.0, lambda x, y: [2 * x, 2 * y]),
    "integer": (lambda x: tf.stack([x[:, 1], x[:, 0] ** 2], 1), lambda x, y: [y, x**2]),
    "unstacked": (lambda x: tf.stack(tf.unstack(x, axis=1)[::-1], 1), lambda x, y: [y, x]),
    "split": (lambda x: tf.split(x, 2, 1)[1] * tf.split(x, 2, 1)[0], lambda x, y: [x * y]),
    "batch of rows": (lambda x: tf.reshape(x, (-1, 1, 2))[:, 0] ** 2, lambda x, y: [x**2, y**2]),
    "flattened": (
        lambda x: tf.reshape(tf.reshape(x, [-1]) ** 2, tf.shape(x)),
        lambda x, y: [x**2, y**2],
    ),
    "transposed": (
        lambda x: tf.transpose(tf.sin(tf.transpose(x))),
        lambda x, y: map(mp.sin, (x, y)),
    ),
    "a matrix first": (
        lambda x: tf.transpose(tf.matmul(W, tf.sin(x), transpose_b=True)),
        lambda x, y: W @ np.array([mp.sin(x), mp.sin(y)]),
    ),
    "repeated by a sum": (
        lambda x: tf.matmul(x[:, :1] + tf.constant([[1.0, 2.0, 3.0]], x.dtype), W),
        lambda x, y: np.array([x + 1, x + 2, x + 3]) @ W,
    ),
    "repeated by a choice": (
        lambda x: tf.matmul(tf.where([[True, False, True]], x[:, :1], 0.5), W) + x[:, 1:],
        lambda x, y: np.array([x, mp.mpf(0.5), x]) @ W + y,
    ),
    "repeated at the end": (
        lambda x: x[:, :1] + tf.constant([[1.0, 2.0, 3.0]], x.dtype),
        lambda x, y: [x + 1, x + 2, x + 3],
    ),
    "repeated in a softmax": (
        lambda x: tf.nn.softmax(x[:, :1] * [1.0, 2.0] + [0.5, 1.0]),
        lambda x, y: exact.softmax(np.array([x + 0.5, 2 * x + 1])),
    ),
    "repeated in a concatenation": (
        lambda x: tf.concat([x[:, :1] + [[1.0, 2.0]], tf.sin(x)], 1) ** 2,
        lambda x, y: [(x + 1) ** 2, (x + 2) ** 2, mp.sin(x) ** 2, mp.sin(y) ** 2],
    ),
    "repeated in a mean": (
        lambda x: tf.reduce_mean(x[:, :1] * x + [[1.0, 2.0]], 1, keepdims=True),
        lambda x, y: [(x * x + x * y + 3) / 2],
    ),
    "of rank one and back": (lambda x: (x[:, 0] * x[:, 1])[:, None], lambda x, y: [x * y]),
    "of lower rank": (lambda x: x * tf.constant(W[0]) + 1.0, lambda x, y: [x / 2 + 1, 1 - 1.5 * y]),
    "quotient by a row": (lambda x: x / tf.constant(W[0]), lambda x, y: [2 * x, y / -1.5]),
    "powers by a row": (
        lambda x: (x[:, :1] + 2.0) ** [1.0, 3.0],
        lambda x, y: [x + 2, (x + 2) ** 3],
    ),
    "number as base": (
        lambda x: tf.constant([2.0, 3.0], x.dtype) ** x[:, :1],
        lambda x, y: [2**x, 3**x],
    ),
    "casts": (
        lambda x: tf.cast(tf.sin(tf.cast(x, tf.float64)), x.dtype) * tf.cast(x > 0, x.dtype),
        lambda x, y: [mp.sin(z) if z > 0 else mp.mpf(0) for z in (x, y)],
    ),
    "without derivatives": (lambda x: tf.ones_like(x) * 3.0, lambda x, y: [3 + 0 * x, 3 + 0 * y]),
    "a number": (
        lambda x: tf.constant([[4.0]], tf.float64) + 0.0 * x[:, :1],
        lambda x, y: [4 + 0 * x],
    ),
    "stopped": (lambda x: tf.stop_gradient(x) * 0.0 + x, lambda x, y: [x, y]),
}


@pytest.mark.parametrize("name", SLICES)
def test_slices_and_shapes(name):
    function, reference = SLICES[name]
    check(function, lambda p: np.array(list(reference(*p))), POINTS)


def test_stopped_gradients_are_honoured():
    """A product with a factor that is taken for constant."""
    values = kpinn.derivatives(
        lambda x: tf.stop_gradient(tf.sin(x)) * x**2, {"x": [0.5]}, "u_x, u_xx", method=STRICT
    )
    assert error(values["u_x"], [[np.sin(0.5)]]) < 1e-6
    assert error(values["u_xx"], [[2 * np.sin(0.5)]]) < 1e-6


# Points where formulas divide by zero ----------------------------------------------------------

INF = np.inf
SPECIAL = {  # the function, the point and the value with the first derivatives there
    "x ** 0 at 0": (lambda x: x**0, 0.0, [1, 0, 0, 0]),
    "x ** 1 at 0": (lambda x: x**1, 0.0, [0, 1, 0, 0]),
    "x ** 2 at 0": (lambda x: x**2, 0.0, [0, 0, 2, 0]),
    "x ** 3 at 0": (lambda x: x**3, 0.0, [0, 0, 0, 6]),
    "x ** 3.0 tensor at 0": (lambda x: x ** tf.constant([[3.0]], x.dtype), 0.0, [0, 0, 0, 6]),
    "x ** row at 0": (lambda x: (x ** [2.0, 3.0])[:, 1:], 0.0, [0, 0, 0, 6]),
    "x ** 12 at 0": (lambda x: x**12, 0.0, [0, 0, 0, 0]),
    "x ** 2.5 at 0": (lambda x: x**2.5, 0.0, [0, 0, 0, INF]),
    "sqrt at 0": (tf.sqrt, 0.0, [0, INF, -INF, INF]),
    "abs at 0": (tf.abs, 0.0, [0, 0, 0, 0]),
    "relu at 0": (tf.nn.relu, 0.0, [0, 0, 0, 0]),
    "elu at 0": (tf.nn.elu, 0.0, [0, 1, 1, 1]),
    "celu at 0": (keras.activations.celu, 0.0, [0, 1]),
    "celu of Keras 2 at 0": (lambda x: keras.activations.celu(x, 2.0), 0.0, [0, 1]),
    "maximum of the same": (lambda x: tf.maximum(x**2, x**2), 1.0, [1, 2, 2, 0]),
    "maximum and minimum at a tie": (
        lambda x: tf.maximum(x, x**2) + tf.minimum(x, x**2),
        1.0,
        [2, 3, 2, 0],
    ),
    "clip at its end": (lambda x: x - tf.clip_by_value(x, -1.0, 1.0), 1.0, [0, 0.5]),
    "softsign at 0": (tf.nn.softsign, 0.0, [0, 1]),
    "gelu at 0": (keras.activations.gelu, 0.0, [0, 0.5]),
    "tanh far away": (tf.tanh, 400.0, [1, 0, 0, 0]),
    "sigmoid far away": (tf.sigmoid, -800.0, [0, 0, 0, 0]),
    "softplus far away": (tf.nn.softplus, 800.0, [800, 1, 0, 0]),
    "mish far away": (keras.activations.mish, 800.0, [800, 1, 0, 0]),
    "silu far away": (keras.activations.silu, -800.0, [0, 0, 0, 0]),
    "softmax far away": (lambda x: tf.nn.softmax(x * [1.0, -1.0])[:, :1], 800.0, [1, 0, 0, 0]),
    "log_softmax far away": (
        lambda x: tf.nn.log_softmax(x * [1.0, -1.0])[:, 1:],
        800.0,
        [-1600, -2, 0, 0],
    ),
    "logsumexp far away": (
        lambda x: tf.reduce_logsumexp(x * [1.0, -1.0], 1, keepdims=True),
        800.0,
        [800, 1, 0, 0],
    ),
    "x log x at x = 0, y = 2": (lambda x: tf.math.xlogy(x, 2.0 + x), 0.0, [0, np.log(2), 1]),
    "xdivy at 0": (lambda x: tf.math.xdivy(x, 2.0 + x), 0.0, [0, 0.5, -0.5, 0.75]),
    "divide_no_nan by 0": (lambda x: tf.math.divide_no_nan(1.0 + x, x), 0.0, [0, 0, 0, 0]),
    "where it is safe": (
        lambda x: tf.where(x > 0, tf.sqrt(tf.where(x > 0, x, 1.0)), x**2),
        0.0,
        [0, 0, 2, 0],
    ),
    "atan2 on an axis": (lambda x: tf.atan2(x, x - 1.0), 0.0, [np.pi, -1, -2]),
    "atan2 behind": (lambda x: tf.atan2(1.0 + 0.0 * x, x), 0.0, [np.pi / 2, -1, 0, 2]),
    "max of a tie": (
        lambda x: tf.reduce_max(x * [1.0, 3.0], 1, keepdims=True),
        0.0,
        [0, 2, 0, 0],
    ),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_points(name):
    function, point, expected = SPECIAL[name]
    names = ["u", "u_x", "u_xx", "u_xxx"][: len(expected)]
    point = {"x": np.array([point])}
    values = kpinn.derivatives(function, point, names, method=STRICT)
    for name, value in zip(names, expected, strict=True):
        np.testing.assert_allclose(values[name], [[value]], 1e-14, 1e-15, err_msg=name)


# What has no derivative at a point -------------------------------------------------------------


def network(*layers):
    model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(1)])
    model(np.ones((2, 2)))
    return model


class InTraining(keras.layers.Layer):
    """A layer that is called with `training=True` whatever it is told."""

    def __init__(self, layer):
        super().__init__(name="trained")
        self.layer = layer

    def call(self, x, training=None):
        return self.layer(x, training=True)


def quantized():
    layer = keras.layers.Dense(4, name="quantized")
    model = network(layer)
    layer.quantize("int8")
    return model


class Looked(keras.layers.Layer):
    """An embedding of coordinates."""

    def __init__(self):
        super().__init__(name="looked")
        self.table = keras.layers.Embedding(10, 3, name="table")

    def call(self, x):
        return self.table(x)[:, 0]


def boundaries():
    return keras.layers.Discretization([0.0, 0.5], output_mode="one_hot", name="bins")


ENCODED = "turns values that depend on the coordinates into int.*the derivative through it is zero"
MIXES = "so that the value at a point depends on other points"
REFUSED = {
    "embedding": (lambda: network(Looked()), rf"looked_1/table.*{ENCODED}"),
    "discretization": (lambda: network(boundaries()), rf"bins.*{ENCODED}"),
    "quantized layer": (quantized, "quantized.*rounds to int8, as quantized layers do"),
    "training for quantization": (
        lambda: lambda x: tf.quantization.fake_quant_with_min_max_args(tf.cast(x, tf.float32)),
        "rounds to float32, as quantized layers do",
    ),
    "eight bits": (
        lambda: lambda x: tf.cast(tf.cast(x, tf.dtypes.experimental.float8_e4m3fn), x.dtype),
        "rounds to float8",
    ),
    "cast to integer": (lambda: lambda x: tf.cast(tf.cast(x, tf.int32), x.dtype), ENCODED),
    "dropout": (
        lambda: network(InTraining(keras.layers.Dropout(0.5))),
        "trained.*/dropout.* changes a variable, as dropout, noise and batch normalization do",
    ),
    "noise": (
        lambda: network(InTraining(keras.layers.GaussianNoise(0.5))),
        "trained.*/gaussian_noise.* changes a variable, as dropout, noise",
    ),
    "batch statistics": (
        lambda: network(InTraining(keras.layers.BatchNormalization())),
        f"Mean .*trained.* takes a mean over the points, {MIXES}",
    ),
    "a variable is changed": (lambda: assigning(), "changes a variable"),
    "mean": (lambda: lambda x: x - tf.reduce_mean(x, axis=0), MIXES),
    "mean of all": (lambda: lambda x: x / tf.reduce_mean(x), MIXES),
    "maximum": (lambda: lambda x: x / tf.reduce_max(tf.abs(x), 0, keepdims=True), MIXES),
    "running sum": (lambda: lambda x: tf.cumsum(x, axis=0), MIXES),
    "l2_loss": (lambda: lambda x: x * tf.nn.l2_loss(x), MIXES),
    "Gram matrix": (lambda: lambda x: x @ tf.matmul(x, x, transpose_a=True), MIXES),
    "Gram matrix by einsum": (lambda: lambda x: x @ tf.einsum("ni,nj->ij", x, x), MIXES),
    "segments": (
        lambda: lambda x: tf.gather(tf.math.segment_mean(x, [0, 0]), [0, 0]),
        MIXES,
    ),
    "numpy": (
        lambda: lambda x: tf.ensure_shape(tf.numpy_function(np.sin, [x], x.dtype), (None, 2)),
        "calls Python on values that depend on the coordinates",
    ),
    "Python": (
        lambda: lambda x: tf.ensure_shape(tf.py_function(tf.sin, [x], x.dtype), (None, 2)),
        "calls Python on values that depend on the coordinates",
    ),
    "an input without derivative": (
        lambda: lambda x: tf.math.zeta(2.0 + x, 1.0 + x**2),
        "Zeta .*has no derivative in TensorFlow with respect to its input 0",
    ),
    "an operation that is not differentiable": (
        lambda: network(keras.layers.Lambda(colours, name="colours")),
        r"HSVToRGB \(.*colours.*has no derivative in TensorFlow.*kpinn.derivatives.register",
    ),
    "an operation without gradient": (
        lambda: network(keras.layers.Lambda(factors, name="factors")),
        r"Lu \(.*factors.*gradient registry has no entry for: Lu",
    ),
    "random numbers": (
        lambda: lambda x: x + tf.random.stateless_normal(tf.shape(x), [1, 2], dtype=x.dtype),
        "draws random numbers, as dropout and noise do in training",
    ),
}


def colours(x):
    return tf.image.hsv_to_rgb(tf.concat([x, x[:, :1]], axis=1)[:, None])[:, 0]


def factors(x):
    return tf.linalg.lu(x[:, :, None] * x[:, None] + tf.eye(2, dtype=x.dtype))[0][:, 0]


def assigning():
    counter = tf.Variable(0.0, dtype=tf.float64)

    def function(x):
        counter.assign_add(1.0)
        return x * counter

    return function


@pytest.mark.parametrize("method", ("taylor", STRICT), ids=str)
@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_cause(name, method):
    kpinn.set_float64()
    make, message = REFUSED[name]
    function = make()
    size = function(POINTS).shape[1]
    with pytest.raises(ValueError, match=message):
        kpinn.derivatives(function, POINTS, "u_x", "x y", f"u[{size}]", method=method)


TOGETHER = [name for name, (_, message) in REFUSED.items() if MIXES in message]


@pytest.mark.parametrize("method", ("reverse", "forward", "finite_difference"))
@pytest.mark.parametrize("name", TOGETHER)
def test_no_method_takes_points_together(name, method):
    """Tapes would return derivatives of a sum over the points."""
    kpinn.set_float64()
    function = REFUSED[name][0]()
    with pytest.raises(ValueError, match=MIXES):
        kpinn.derivatives(function, POINTS, "u_x", "x y", "u[2]", method=method)


@pytest.mark.parametrize("method", ("taylor", "reverse", "finite_difference"))
def test_random_numbers_of_a_given_seed_are_constants(method):
    def features(x):
        frequencies = tf.random.stateless_uniform([2, 1], [1, 2], 1.0, 2.0, dtype=x.dtype)
        return tf.sin(x @ frequencies) / tf.reduce_sum(frequencies)

    kpinn.set_float64()
    found = kpinn.derivatives(features, POINTS, "u_x, u_y", "x y", "u", method)
    w = tf.random.stateless_uniform([2, 1], [1, 2], 1.0, 2.0, dtype=tf.float64).numpy()
    slope = np.cos(POINTS @ w) / w.sum()
    np.testing.assert_allclose(found["u_x"], slope * w[0], rtol=1e-8)
    np.testing.assert_allclose(found["u_y"], slope * w[1], rtol=1e-8)


@pytest.mark.parametrize("seed", (tf.random.uniform, None))
def test_random_numbers_of_any_seed_are_refused(seed):
    def noisy(x):
        if seed is None:
            return x + tf.random.normal((1, 2), dtype=x.dtype)
        return x + tf.random.stateless_normal((1, 2), seed((2,), 0, 9, tf.int32), dtype=x.dtype)

    with pytest.raises(ValueError, match="draws random numbers"):
        kpinn.derivatives(noisy, POINTS, "u_x", "x y", "u[2]")


def test_differences_do_not_compare_one_draw_with_another():
    noisy = keras.Sequential([keras.Input((2,)), InTraining(keras.layers.Dropout(0.5))])
    with pytest.raises(ValueError, match="dropout.* draws random numbers"):
        kpinn.derivatives(noisy, POINTS, "u_x", "x y", "u[2]", method="finite_difference")


@tf.function(autograph=False)
def centred(x):
    return x - tf.reduce_mean(x, axis=0)


@pytest.mark.parametrize("method", ("reverse", "forward", "finite_difference"))
def test_points_that_are_taken_together_in_a_function_that_is_called(method):
    with pytest.raises(ValueError, match=MIXES):
        kpinn.derivatives(lambda x: centred(tf.sin(x)), POINTS, "u_x", "x y", "u[2]", method)


@pytest.mark.parametrize("method", ("taylor", "reverse", "forward", "finite_difference"))
def test_what_the_points_have_in_common_is_no_mixing(method):
    """Means over columns, or of weights."""

    @tf.function(autograph=False)
    def weights(x, w):
        return tf.reduce_mean(w, axis=0) + tf.zeros_like(x)

    def function(x):
        row = tf.reduce_mean(x, axis=1, keepdims=True) + weights(x, tf.eye(2, dtype=x.dtype))
        return tf.sin(row)

    kpinn.set_float64()
    found = kpinn.derivatives(function, POINTS, "u_x", "x y", "u[2]", method)["u_x"]
    expected = np.cos(POINTS.mean(axis=1, keepdims=True) + 0.5) / 2
    np.testing.assert_allclose(found, np.repeat(expected, 2, axis=1), rtol=1e-7)


HELD = {  # without derivatives, but the values at a point follow the others
    "a mean that is held": lambda x: x + tf.reduce_mean(tf.stop_gradient(x), axis=0),
    "the number of points": lambda x: x * tf.cast(tf.reduce_sum(tf.shape(x)[:1]), x.dtype),
    "whether one is large": lambda x: x + tf.reduce_max(tf.cast(x > 10.0, x.dtype), axis=0),
}


@pytest.mark.parametrize("method", ("taylor", "reverse", "forward", "finite_difference"))
@pytest.mark.parametrize("name", HELD)
def test_values_that_follow_other_points_are_refused(name, method):
    kpinn.set_float64()
    with pytest.raises(ValueError, match="Such a function has no derivative at a point"):
        kpinn.derivatives(HELD[name], POINTS, "u_x", "x y", "u[2]", method)


# Slower ways -----------------------------------------------------------------------------------


def bessel(order):
    """`exp(-|x|) I_order(x)`."""
    return lambda x: mp.exp(-abs(x)) * mp.besseli(order, x)


GENERIC = {  # operations without a rule, by the gradients that TensorFlow has for them
    "BesselI0e": (tf.math.bessel_i0e, exact.each(bessel(0))),
    "Erfinv": (lambda x: tf.math.erfinv(x / 2.0), exact.each(lambda x: mp.erfinv(x / 2))),
    "Betainc": (
        lambda x: tf.math.betainc(*(v * tf.ones_like(x) for v in (2.0, 3.0)), x**2),
        exact.each(lambda x: mp.betainc(2, 3, 0, x**2, regularized=True)),
    ),
    "DynamicStitch": (  # its gradients are slices
        lambda x: tf.transpose(tf.dynamic_stitch([[1], [0]], tf.split(tf.transpose(x**3), 2))),
        lambda p: p[::-1] ** 3,
    ),
}


@pytest.mark.parametrize("name", GENERIC)
def test_operations_without_a_rule(name):
    function, reference = GENERIC[name]
    with pytest.warns(kpinn.DerivativeFallbackWarning, match=rf"{name} \(.*\) has no rule.*Until"):
        check(function, reference, POINTS, ("", "x", "xy", "xxy", "xxyy"), method="taylor")
    with pytest.raises(ValueError, match=rf"{name} \(.*\) has no rule.*register adds a rule"):
        check(function, reference, POINTS, ["x"])


def rnn(layer):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Reshape((2, 1)), layer])
    model.set_weights(
        [np.random.default_rng(i).uniform(-1, 1, w.shape) for i, w in enumerate(model.weights)]
    )
    return model


def of_rnn(function):
    def build(model):
        weights = [references.exact(weight) for weight in model.get_weights()]
        return lambda p: function(p[:, None], *weights)

    return build


def accumulated(x):
    """`x, sin(x + x), sin(sin(x + x) + x)`, of which the last two are multiplied."""
    columns = tf.scan(lambda total, each: tf.sin(total + each), tf.stack([x, x, x]))
    return columns[1] * columns[2]


def reference_accumulated(p):
    second = exact.sin(p + p)
    return second * exact.sin(second + p)


def by_arrays(x):
    """Lists that grow, with elements that do not depend on the coordinates."""
    array = tf.TensorArray(x.dtype, 0, dynamic_size=True, clear_after_read=False)
    array = array.write(0, tf.ones_like(x))

    def body(i, array):
        return i + 1, array.write(i, tf.sin(array.read(i - 1) * x))

    _, array = tf.while_loop(lambda i, _: i < 4, body, (1, array), maximum_iterations=3)
    return array.gather([3, 0])[0] * array.read(2) + array.stack()[1]


def reference_by_arrays(p):
    values = [1 + 0 * p]
    for _ in range(3):
        values.append(exact.sin(values[-1] * p))
    return values[3] * values[2] + values[1]


LISTS = {  # loops and lists of tensors
    "LSTM": (lambda: rnn(keras.layers.LSTM(2)), of_rnn(exact.lstm)),
    "GRU": (lambda: rnn(keras.layers.GRU(2)), of_rnn(exact.gru)),
    "SimpleRNN": (lambda: rnn(keras.layers.SimpleRNN(2)), of_rnn(exact.simple_rnn)),
    "map_fn": (lambda: lambda x: tf.map_fn(tf.sin, x), lambda _: exact.sin),
    "map_fn of a matrix": (
        lambda: lambda x: tf.map_fn(lambda row: row * tf.reduce_sum(row), x),
        lambda _: lambda p: p * p.sum(),
    ),
    "scan": (lambda: accumulated, lambda _: reference_accumulated),
    "TensorArray": (
        lambda: lambda x: tf.TensorArray(x.dtype, 2).unstack([x, x * x]).stack()[1],
        lambda _: lambda p: p * p,
    ),
    "TensorArray that grows": (lambda: by_arrays, lambda _: reference_by_arrays),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_tensors(name):
    kpinn.set_float64()
    make, reference = LISTS[name]
    function = make()
    check(function, reference(function), POINTS)
    size = function(POINTS).shape[1]
    call = functools.partial(
        kpinn.derivatives, function, requests="u, u_xyy", coordinates="x y", fields=f"u[{size}]"
    )
    eager = call(POINTS)["u_xyy"]
    xla = name != "TensorArray that grows"  # which XLA does not have
    compiled = tf.function(call, autograph=False, jit_compile=xla)(tf.constant(POINTS))["u_xyy"]
    assert error(compiled, eager) < 1e-12


def test_a_loop_that_was_differentiated_before():
    """TensorFlow then adds inputs to it, which stand behind it in the graph."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, 2), tf.float64)])
    def called(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.sin(y * x)), (0, x))[1]

    x = tf.constant(POINTS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = called(x)
    tape.gradient(y, x)
    check(called, lambda p: exact.sin(exact.sin(exact.sin(p * p) * p) * p), POINTS)


TAPES = {  # whole functions by nested tapes
    "complex numbers": (
        lambda: lambda x: tf.math.real(tf.exp(tf.complex(x, x**2))),
        lambda _: exact.each(lambda x: mp.exp(x) * mp.cos(x**2)),
    ),
    "cast to complex numbers": (
        lambda: lambda x: tf.math.imag(tf.exp(1j * tf.cast(x, tf.complex128))),
        lambda _: exact.sin,
    ),
    "Python by points": (
        lambda: lambda x: tf.stack([x[i] * x[i] for i in range(len(x.numpy()))]),
        lambda _: lambda p: p * p,
    ),
}


@pytest.mark.parametrize("name", TAPES)
def test_functions_by_nested_tapes(name):
    kpinn.set_float64()
    make, reference = TAPES[name]
    function = make()
    with pytest.warns(
        kpinn.DerivativeFallbackWarning, match="nested gradient tapes, which is slow"
    ):
        check(function, reference(function), POINTS, ("", "x", "xy", "yy"), method="taylor")
    with pytest.raises(ValueError, match="Taylor coefficients cannot be propagated"):
        kpinn.derivatives(function, POINTS, "u_x", "x y", "u[2]", method=STRICT)


def test_unknown_ranks_in_a_graph():
    def function(x):
        sizes = tf.stack([tf.shape(x)[0], 2, 7])
        of_unknown_rank = tf.reshape(x, tf.boolean_mask(sizes, sizes < 7))
        return tf.ensure_shape(tf.sin(of_unknown_rank) * of_unknown_rank, (None, 2))

    check(function, lambda p: exact.sin(p) * p, POINTS, MIXED)
    call = functools.partial(
        kpinn.derivatives, function, requests="u_xx", coordinates="x y", fields="u[2]"
    )
    signature = [tf.TensorSpec((None, 2), tf.float64)]
    graph = tf.function(call, input_signature=signature, autograph=False)
    with pytest.warns(kpinn.DerivativeFallbackWarning, match="unknown rank"):
        value = graph(tf.constant(POINTS))["u_xx"]
    assert error(value, call(POINTS)["u_xx"]) < 1e-13


def test_the_warning_is_one_for_all_operations():
    """And it names each of them once, with its layer."""

    def function(x):
        for name in ("first", "second"):
            with tf.name_scope(name):
                x = tf.math.erfinv(tf.math.erfinv(x / 2.0) / 2.0)
        return x

    with pytest.warns(kpinn.DerivativeFallbackWarning) as warnings:
        kpinn.derivatives(function, {"x": [0.5]}, "u_xxx")
    (message,) = {str(warning.message) for warning in warnings}
    for name in ("first/erfinv/Erfinv", "first/erfinv_1", "second/erfinv/Erfinv"):
        assert message.count(f"Erfinv ({name}") == 1


# Rules from outside ----------------------------------------------------------------------------


@pytest.fixture
def table():
    """The rules; those that a test adds are removed."""
    known = dict(TABLE)
    yield TABLE
    TABLE.clear()
    TABLE.update(known)


def erfinv_tower(x, order):
    """`y' = sqrt(pi) / 2 exp(y^2)`, so that `k y_k` are those of `y' = w`, `w' = 2 y y' w`."""
    y, w = [tf.math.erfinv(x)], [0.5 * np.sqrt(np.pi) * tf.exp(tf.math.erfinv(x) ** 2)]
    for k in range(1, order + 1):
        y.append(w[k - 1] / k)
        squares = [sum(y[i] * y[j - i] for i in range(j + 1)) for j in range(k + 1)]
        w.append(sum(j * squares[j] * w[k - j] for j in range(1, k + 1)) / k)
    return y


def bessel_in_tensorflow(x):
    """A composite rule: a series that converges fast for small arguments."""
    terms, total = tf.ones_like(x), tf.ones_like(x)
    for k in range(1, 25):
        terms = terms * x * x / (4.0 * k * k)
        total = total + terms
    return tf.exp(-x) * total


TRIANGLE = np.array([[2.0, 0.0], [1.0, 4.0]])
OWN = {  # type, rule, function and reference; of positive arguments
    "Erfinv": (
        lambda of: of.elementwise(erfinv_tower),
        lambda x: tf.math.erfinv(x / 2.0),
        exact.each(lambda x: mp.erfinv(x / 2)),
    ),
    "BesselI0e": (
        lambda of: of.composite(bessel_in_tensorflow),
        tf.math.bessel_i0e,
        exact.each(bessel(0)),
    ),
    "MatrixTriangularSolve": (
        lambda of: of.linear(slice(1, 2)),
        lambda x: tf.linalg.triangular_solve(TRIANGLE, x[..., None])[..., 0],
        lambda p: np.array([p[0] / 2, (p[1] - p[0] / 2) / 4]),
    ),
    "Cross": (
        lambda of: of.bilinear(),
        lambda x: tf.linalg.cross(*(tf.concat([x, x[:, :1] ** k], 1) for k in (2, 3))),
        lambda p: np.cross([p[0], p[1], p[0] ** 2], [p[0], p[1], p[0] ** 3]),
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_rules_from_outside(name, table):
    rule, function, reference = OWN[name]
    table.pop(name, None)
    points = np.abs(POINTS)
    with pytest.raises(ValueError, match=f"{name}.*kpinn.derivatives.register adds a rule"):
        check(function, reference, points)
    kpinn.derivatives.register(name)(rule(kpinn.derivatives))
    check(function, reference, points, [*MIXED, "xxxxxx"])


def test_a_rule_as_a_decorator(table):
    """A constant rule, and one for two types that is written out."""
    kpinn.derivatives.register("Sin")(kpinn.derivatives.constant())

    @kpinn.derivatives.register("Exp", "Log")
    def twice(call, x):
        return [x.with_value(call.emit(x.value)[0])]

    values = kpinn.derivatives(lambda x: tf.sin(x) + tf.exp(x), {"x": [0.5]}, "u, u_x")
    assert float(values["u_x"][0, 0]) == 1.0
    assert float(values["u"][0, 0]) == pytest.approx(np.sin(0.5) + np.exp(0.5))
    assert twice is table["Exp"].rule is table["Log"].rule


@pytest.mark.parametrize(
    "names, rule, message",
    [
        ((), print, r"register takes names of operations, such as 'Erfinv', not \(\)"),
        ((tf.sin,), print, "register takes names of operations"),
        (("Erfinv",), 3, r"a rule is a function \(call, \*inputs\), not 3"),
    ],
)
def test_misuse_of_register(names, rule, message, table):
    with pytest.raises(TypeError, match=message):
        kpinn.derivatives.register(*names)(rule)
    assert table["Erfinv"].rule is None


@pytest.mark.parametrize(
    "rule, message",
    [
        (kpinn.derivatives.linear(slice(0, 1)), "input 1 of Cross .* depends on the coordinates"),
        (kpinn.derivatives.bilinear(0, 0), "input 1 of Cross .* depends on the coordinates"),
    ],
)
def test_definers_refuse_what_they_do_not_cover(rule, message, table):
    kpinn.derivatives.register("Cross")(rule)
    with pytest.raises(ValueError, match=message):
        check(*OWN["Cross"][1:], POINTS)


# Operations issued again -----------------------------------------------------------------------


class Defined:
    """What `signature` needs of an operation in a graph."""

    def __init__(self, name):
        self.type, self.op_def = name, op_def_registry.get(name)


def test_signatures_of_all_operations():
    """Every input and attribute is an argument of `tf.raw_ops`, and the other way round."""
    names, renamed = [name for name in dir(tf.raw_ops) if not name.startswith("_")], set()
    assert len(names) > 1000
    for name in names:
        operation = Defined(name)
        found = signature(operation)
        arguments = [argument for argument, _ in found.inputs]
        attributes = [argument for _, argument in found.attributes]
        expected = set(inspect.signature(found.function).parameters) - {"name"}
        assert sorted([*arguments, *attributes]) == sorted(expected), name
        defined = [argument.name for argument in operation.op_def.input_arg]
        renamed |= {name for one, other in zip(arguments, defined, strict=True) if one != other}
    reductions = {"All", "Any", "EuclideanNorm", "Max", "Mean", "Min", "Prod", "Sum"}
    assert renamed == reductions | {"ExpandDims", "Select", "Split", "SplitV", "Where"}


def test_an_operation_outside_of_raw_ops_is_refused():
    """An operation of a library, which `emit` does not find: nested tapes take over."""
    operation = types.SimpleNamespace(type="NotThere", name="layer/NotThere")
    operation.op_def = types.SimpleNamespace(name="NotThere")
    assert signature(operation) is None
    with pytest.raises(UnsupportedError, match=r"NotThere \(layer/NotThere\) is not in tf.raw_ops"):
        emit(operation, [])


def test_an_operation_outside_of_raw_ops_falls_back(monkeypatch):
    monkeypatch.setitem(emission._signatures, "Expm1", None)

    def function(x):
        return tf.sin(x) * tf.math.expm1(tf.constant(1.0, x.dtype))

    with pytest.warns(kpinn.DerivativeFallbackWarning, match="Expm1 .*is not in tf.raw_ops"):
        found = kpinn.derivatives(function, {"x": POINTS[:, :1]}, "u_xx")
    assert error(found["u_xx"], -np.sin(POINTS[:, :1]) * np.expm1(1.0)) < 1e-14


def reissued(x):
    """Operations with renamed inputs, lists of inputs, several outputs and attributes."""
    first, second = tf.split(x, 2, axis=1)
    parts = tf.split(tf.concat([first, second, x], 1), [1, 3], axis=1)
    select = tf.raw_ops.Select(condition=parts[0] > 0, x=parts[0], y=-parts[0])
    values, indices = tf.math.top_k(x, 2)
    where = tf.cast(tf.where(tf.constant([True, False])), x.dtype)
    norm = tf.norm(x, axis=1, keepdims=True) + tf.reduce_prod(x, [1], keepdims=True)
    both = tf.identity_n([select, values])
    pooled = tf.nn.avg_pool1d(x[:, :, None], 2, 1, "SAME")[:, :, 0]
    some = tf.reduce_all(x > -9.0, 1, keepdims=True) & tf.reduce_any(x > 0, 1, keepdims=True)
    return [
        *both,
        indices,
        where,
        norm,
        pooled,
        some,
        tf.expand_dims(x, 1),
        tf.add_n([x, x]),
        tf.constant("text"),
        tf.linalg.einsum("ni,mi->nm", x, x),
    ]


def test_operations_issued_again_return_the_same():
    graph = (
        tf.function(reissued).get_concrete_function(tf.TensorSpec(POINTS.shape, tf.float64)).graph
    )
    values = {graph.inputs[0].name: tf.constant(POINTS)}
    for operation in graph.get_operations():
        if operation.type not in ("Placeholder", "NoOp"):
            outputs = emit(operation, [values[tensor.name] for tensor in operation.inputs])
            names = [tensor.name for tensor in operation.outputs]
            values |= dict(zip(names, outputs, strict=True))
    expected = reissued(tf.constant(POINTS))
    for tensor, right in zip(graph.outputs, expected, strict=True):
        assert np.array_equal(values[tensor.name], right)


def test_the_graph_of_a_called_function():
    """The private name of TensorFlow that the engine needs."""

    @tf.function(autograph=False)
    def inner(x):
        return tf.cond(x[0, 0] > 0, lambda: tf.sin(x), lambda: x)

    spec = tf.TensorSpec((None, 2), tf.float64)
    graph = tf.function(lambda x: inner(x) + 1.0).get_concrete_function(spec).graph
    (call,) = [o for o in graph.get_operations() if "PartitionedCall" in o.type]
    called = function_graph(graph, call.get_attr("f").name)
    (branch,) = [o for o in called.get_operations() if o.type in ("If", "StatelessIf")]
    then = function_graph(called, branch.get_attr("then_branch").name)
    assert "Sin" in {operation.type for operation in then.get_operations()}
    assert [tensor.dtype for tensor in then.outputs] == [tf.float64]
