"""Rules of the operations of gradients, for functions that use a `tf.GradientTape` themselves."""

import tensorflow as tf

from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, value_of
from kpinn.derivatives.channels.jets import linear as each_channel
from kpinn.derivatives.operations import taylor_series
from kpinn.derivatives.operations.labels import by_sample, moved
from kpinn.derivatives.operations.rules import composite, linear
from kpinn.derivatives.operations.table import BROADCASTING, Facts, register

# Of the output of a function and the gradient with respect to it.
for _types, _function in {
    ("InvGrad", "ReciprocalGrad"): lambda y, g: -g * y * y,
    ("RsqrtGrad",): lambda y, g: -0.5 * g * y**3,
    ("SigmoidGrad",): lambda y, g: g * y * (1.0 - y),
    ("SqrtGrad",): lambda y, g: 0.5 * g / y,
    ("TanhGrad",): lambda y, g: g * (1.0 - y * y),
}.items():
    register(*_types, **BROADCASTING)(composite(_function))

# Of the gradient, and the output or the input.
_SELU = taylor_series.SELU_SCALE, taylor_series.SELU_SCALE * taylor_series.SELU_ALPHA
for _type, _function in {
    "EluGrad": lambda g, y: g * tf.where(y < 0, y + 1.0, tf.ones_like(y)),
    "SeluGrad": lambda g, y: g * tf.where(y < 0, y + _SELU[1], _SELU[0] * tf.ones_like(y)),
    "SoftplusGrad": lambda g, x: g * tf.sigmoid(x),
    "SoftsignGrad": lambda g, x: g / tf.square(1.0 + tf.abs(x)),
}.items():
    register(_type, **BROADCASTING)(composite(_function))

register("AvgPoolGrad", "AvgPool3DGrad", along=by_sample(1))(linear(slice(1, 2)))
register("StridedSliceGrad", labels=moved)(linear(slice(4, 5)))


def _of_pieces(slope):
    """The rule of the gradient of a function of straight pieces."""

    def rule(call, gradient, x):
        factor = slope(call, value_of(x))
        if isinstance(gradient, Jet):
            return [each_channel(lambda channel: factor * channel, gradient)]
        return [factor * gradient]

    return rule


for _type, _slope in {
    "ReluGrad": lambda call, x: tf.cast(x > 0, x.dtype),
    "Relu6Grad": lambda call, x: tf.cast((x > 0) & (x < 6), x.dtype),
    "LeakyReluGrad": lambda call, x: tf.where(x > 0, tf.ones_like(x), call.attribute("alpha")),
}.items():
    register(_type, **BROADCASTING)(_of_pieces(_slope))
register("MaxPoolGradGrad", along=by_sample(0, 1, 2))(Facts())  # has no rule


@register("MaxPoolGrad", "MaxPool3DGrad", along=by_sample(0, 1, 2))
def _max_pool_gradient(call, x, y, gradient):
    """Linear in the gradient; which element is the largest has no derivative."""
    if not isinstance(gradient, Jet):
        return call.emit_values(x, y, gradient)
    x, y = value_of(x), value_of(y)
    return [each_channel(lambda channel: call.emit(x, y, channel)[0], full(gradient))]
