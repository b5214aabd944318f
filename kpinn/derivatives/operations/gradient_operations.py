"""Rules of the operations of gradients, for functions that use a `tf.GradientTape` themselves."""

import tensorflow as tf

from kpinn.derivatives.jets import Jet, full, value_of
from kpinn.derivatives.jets import linear as each_channel
from kpinn.derivatives.operations import taylor_series
from kpinn.derivatives.operations.rules import composite, linear, register

# Of the output of a function and the gradient with respect to it.
register("InvGrad", "ReciprocalGrad")(composite(lambda y, g: -g * y * y))
register("RsqrtGrad")(composite(lambda y, g: -0.5 * g * y**3))
register("SigmoidGrad")(composite(lambda y, g: g * y * (1.0 - y)))
register("SqrtGrad")(composite(lambda y, g: 0.5 * g / y))
register("TanhGrad")(composite(lambda y, g: g * (1.0 - y * y)))

# Of the gradient, and the output or the input.
_SELU = taylor_series.SELU_SCALE, taylor_series.SELU_SCALE * taylor_series.SELU_ALPHA
register("EluGrad")(composite(lambda g, y: g * tf.where(y < 0, y + 1.0, tf.ones_like(y))))
register("SeluGrad")(
    composite(lambda g, y: g * tf.where(y < 0, y + _SELU[1], _SELU[0] * tf.ones_like(y)))
)
register("SoftplusGrad")(composite(lambda g, x: g * tf.sigmoid(x)))
register("SoftsignGrad")(composite(lambda g, x: g / tf.square(1.0 + tf.abs(x))))

register("AvgPoolGrad", "AvgPool3DGrad")(linear(slice(1, 2)))
register("StridedSliceGrad")(linear(slice(4, 5)))


def _of_pieces(slope):
    """The rule of the gradient of a function of straight pieces."""

    def rule(call, gradient, x):
        factor = slope(call, value_of(x))
        if isinstance(gradient, Jet):
            return [each_channel(lambda channel: factor * channel, gradient)]
        return [factor * gradient]

    return rule


register("ReluGrad")(_of_pieces(lambda call, x: tf.cast(x > 0, x.dtype)))
register("Relu6Grad")(_of_pieces(lambda call, x: tf.cast((x > 0) & (x < 6), x.dtype)))
register("LeakyReluGrad")(
    _of_pieces(lambda call, x: tf.where(x > 0, tf.ones_like(x), call.attribute("alpha")))
)


@register("MaxPoolGrad", "MaxPool3DGrad")
def _max_pool_gradient(call, x, y, gradient):
    """Linear in the gradient; which element is the largest has no derivative."""
    if not isinstance(gradient, Jet):
        return call.emit_values(x, y, gradient)
    x, y = value_of(x), value_of(y)
    return [each_channel(lambda channel: call.emit(x, y, channel)[0], full(gradient))]
