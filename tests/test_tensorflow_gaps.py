"""Gradients that TensorFlow lacks or has wrong, and kpinn registers."""

import numpy as np
import pytest
import references
import tensorflow as tf
from mpmath import mp
from tensorflow.python.framework import ops

import kpinn
from kpinn.derivatives.errors import UnsupportedError
from kpinn.derivatives.tensorflow_private import forget_gradient, function_graph

METHODS = ("taylor", "reverse", "forward")
POINTS = np.array([[0.3], [-0.7]])
WEIGHTS = np.random.default_rng(0).uniform(-1.5, 1.5, (1, 8))
SUMS = np.random.default_rng(1).uniform(-1.0, 1.0, (50, 1))
RESIZE = {  # and the rounding, of float32 where TensorFlow returns that
    "ResizeBicubic": (tf.raw_ops.ResizeBicubic, 1e-5),
    "ResizeBilinear": (tf.raw_ops.ResizeBilinear, 1e-5),
    "ResizeNearestNeighbor": (tf.raw_ops.ResizeNearestNeighbor, 1e-11),
}
HOW = {"centers": {"half_pixel_centers": True}, "corners": {"align_corners": True}, "plain": {}}


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def resized(name, how):
    resize, _ = RESIZE[name]

    def function(y):
        images = resize(images=tf.reshape(y, (-1, 2, 2, 2)), size=[5, 5], **HOW[how])
        return tf.cast(tf.reshape(images, (-1, 50)), tf.float64)

    return function


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", RESIZE)
def test_resized_images(name, how, compiled):
    """`sin(s R sin(w x))`: a resizing is a matrix `R`; the slope with respect to `s` is known."""
    matrix = resized(name, how)(tf.eye(8, dtype=tf.float64)).numpy()
    scale, tolerance = tf.Variable(1.0, dtype=tf.float64), RESIZE[name][1]

    def network(x):
        return tf.sin(scale * resized(name, how)(tf.sin(x @ WEIGHTS))) @ SUMS

    def slopes(method):
        with tf.GradientTape() as tape:
            values = kpinn.derivatives(network, POINTS, "u_x, u_xx", "x", method=method)
            total = tf.reduce_sum(values["u_x"])
        return values["u_x"], values["u_xx"], tape.gradient(total, scale)

    z = np.sin(POINTS @ WEIGHTS) @ matrix
    z_x = (np.cos(POINTS @ WEIGHTS) * WEIGHTS) @ matrix
    z_xx = (-np.sin(POINTS @ WEIGHTS) * WEIGHTS**2) @ matrix
    u_x = (np.cos(z) * z_x) @ SUMS
    u_xx = (np.cos(z) * z_xx - np.sin(z) * z_x**2) @ SUMS
    u_xs = np.sum((np.cos(z) * z_x - np.sin(z) * z * z_x) @ SUMS)
    for method in METHODS:
        call = tf.function(slopes, autograph=False) if compiled else slopes
        for found, expected in zip(call(method), (u_x, u_xx, u_xs), strict=True):
            error = np.max(np.abs(found - expected)) / np.max(np.abs(expected))
            assert error < tolerance, method


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axes", [(0,), (0, 0), (0, 0, 0)])
def test_cross_entropy_of_labels_that_depend_on_the_coordinates(axes, method, compiled):
    def function(x):
        logits, labels = tf.sin(x @ WEIGHTS[:, :4]), tf.nn.softmax(x @ WEIGHTS[:, 4:])
        return tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits)[:, None] ** 2

    def exact(p):
        def softmax(z):
            powers = np.array([mp.exp(each) for each in z])
            return powers / powers.sum()

        weights = references.exact(WEIGHTS)
        logits = softmax(np.array([mp.sin(each) for each in p @ weights[:, :4]]))
        labels = softmax(p @ weights[:, 4:])
        return np.array(
            [sum(q * mp.log(each) for q, each in zip(labels, logits, strict=True)) ** 2]
        )

    def call():
        name = "u_" + "x" * len(axes)
        return kpinn.derivatives(function, POINTS, name, "x", method=method)[name]

    found = tf.function(call, autograph=False)() if compiled else call()
    np.testing.assert_allclose(found, references.partials(exact, POINTS, axes), rtol=1e-11)


def test_a_gradient_can_be_registered_anew():
    """What `forget_gradient` needs of TensorFlow."""

    def double(op, upstream):
        return 2.0 * upstream

    before = ops.gradient_registry.lookup("Atan")
    with pytest.raises(KeyError, match="Atan"):
        tf.RegisterGradient("Atan")(double)
    forget_gradient("Atan")
    try:
        tf.RegisterGradient("Atan")(double)
        x = tf.constant(1.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.atan(x)
        assert tape.gradient(y, x) == 2.0
    finally:
        forget_gradient("Atan")
        tf.RegisterGradient("Atan")(before)


def test_functions_of_tensorflow_1_have_no_graph():
    """Such as those of `tf.nn.ctc_loss`, which leaves settings in TensorFlow behind itself."""

    class Graph:
        def _get_function(self, name):
            return object()

    with pytest.raises(UnsupportedError, match="cond_1 is a function of TensorFlow 1"):
        function_graph(Graph(), "cond_1")
