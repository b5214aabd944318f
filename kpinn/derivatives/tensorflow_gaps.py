"""Gradients that TensorFlow lacks and second derivatives of a network need.

They are registered when kpinn is imported, unless a later TensorFlow has them.
"""

import tensorflow as tf

try:  # a private name: the operation is not in tf.raw_ops
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops
except ImportError:  # slices under XLA then raise when they are differentiated twice
    gen_xla_ops = None


def register_missing_gradients():
    """Registers the gradients of this module that TensorFlow does not have itself."""
    for operation, gradient in _GRADIENTS.items():
        if operation.startswith("Xla") and gen_xla_ops is None:
            continue
        try:
            tf.RegisterGradient(operation)(gradient)
        except KeyError:  # registered already: by TensorFlow, or by an earlier import
            pass


def _softsign_grad(op, upstream):
    """Gradient of `SoftsignGrad(g, x) = g / (1 + |x|)^2`, for the second derivative of softsign."""
    gradient, features = op.inputs
    base = 1.0 + tf.abs(features)
    return (
        upstream / tf.square(base),
        -2.0 * upstream * gradient * tf.sign(features) / (tf.square(base) * base),
    )


def _xla_dynamic_update_slice(op, upstream):
    """Gradient of `XlaDynamicUpdateSlice(input, update, indices)`.

    Under XLA the gradient of `tf.slice` is this operation, and TensorFlow cannot differentiate
    it again.
    """
    _, update, indices = op.inputs
    sizes = tf.shape(update, out_type=indices.dtype)
    picked = tf.slice(upstream, indices, sizes)
    cleared = gen_xla_ops.xla_dynamic_update_slice(upstream, tf.zeros_like(update), indices)
    return cleared, picked, None


_GRADIENTS = {
    "SoftsignGrad": _softsign_grad,
    "XlaDynamicUpdateSlice": _xla_dynamic_update_slice,
}
