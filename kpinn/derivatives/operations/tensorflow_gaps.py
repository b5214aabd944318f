"""Gradients that second derivatives of a network need and TensorFlow lacks, or has wrong.

They are registered when kpinn is imported: those that TensorFlow lacks unless a later one has them.
"""

import tensorflow as tf

from kpinn.derivatives.tensorflow_private import forget_gradient

try:  # a private name: the operation is not in tf.raw_ops
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops
except ImportError:  # slices under XLA then raise when they are differentiated twice
    gen_xla_ops = None


def register_missing_gradients():
    """Registers the gradients of this module."""
    for operation in _WRONG:
        forget_gradient(operation)
    for operation, gradient in (_MISSING | _WRONG).items():
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


def _resized(resize):
    """Gradient of the gradient of a resizing, which is linear, with respect to the upstream one."""

    def gradient(op, upstream):
        again = resize(
            images=upstream,
            size=tf.shape(op.inputs[0])[1:3],
            align_corners=op.get_attr("align_corners"),
            half_pixel_centers=op.get_attr("half_pixel_centers"),
        )
        return again, None

    return gradient


def _resize_bilinear(op, upstream):
    """Gradient of `ResizeBilinear`; that of TensorFlow is declared to have no gradient itself."""
    images, size = op.inputs[0], tf.shape(upstream)[1:3]
    how = {name: op.get_attr(name) for name in ("align_corners", "half_pixel_centers")}

    @tf.custom_gradient
    def transposed(upstream):
        def gradient(again):
            return tf.raw_ops.ResizeBilinear(images=again, size=size, **how)

        found = tf.raw_ops.ResizeBilinearGrad(grads=upstream, original_image=images, **how)
        return found, gradient

    return transposed(upstream), None


def _cross_entropy(op, upstream, upstream_of_slope):
    """Gradient of the cross entropy of `softmax(logits)` and labels, and of its slope.

    The slope is `softmax(logits) - labels`; TensorFlow takes the labels in it for constant, so that
    second derivatives with respect to them are wrong.
    """
    logits, slope = op.inputs[0], op.outputs[1]
    upstream = upstream[:, None]
    of_logits, of_labels = upstream * slope, -upstream * tf.nn.log_softmax(logits)
    if upstream_of_slope is not None:
        softmax = tf.nn.softmax(logits)
        mean = tf.reduce_sum(upstream_of_slope * softmax, axis=1, keepdims=True)
        of_logits += (upstream_of_slope - mean) * softmax
        of_labels -= upstream_of_slope
    return of_logits, of_labels


_MISSING = {
    "ResizeBicubicGrad": _resized(tf.raw_ops.ResizeBicubic),
    "ResizeNearestNeighborGrad": _resized(tf.raw_ops.ResizeNearestNeighbor),
    "SoftsignGrad": _softsign_grad,
    "XlaDynamicUpdateSlice": _xla_dynamic_update_slice,
}
_WRONG = {
    "ResizeBilinear": _resize_bilinear,
    "SoftmaxCrossEntropyWithLogits": _cross_entropy,
}
