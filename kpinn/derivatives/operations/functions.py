"""Rules of functions of each element, and of operations that are made of others."""

import tensorflow as tf

from kpinn.derivatives.channels.compositions import compose, compose_with_variables
from kpinn.derivatives.channels.full_channels import full
from kpinn.derivatives.channels.jets import Jet, add
from kpinn.derivatives.channels.jets import linear as each_channel
from kpinn.derivatives.channels.product_rules import multiply
from kpinn.derivatives.operations import choices, taylor_series
from kpinn.derivatives.operations.labels import every_axis
from kpinn.derivatives.operations.rules import composite, elementwise
from kpinn.derivatives.operations.table import BROADCASTING, Facts, register
from kpinn.derivatives.operations.without_rule import generic

# Functions of each element -----------------------------------------------------------------

_BY_TAPES = ("Cos", "Erf", "Exp", "Sigmoid", "Sin", "Square", "Tanh")
for _name, _tower in {
    "Acos": taylor_series.acos,
    "Acosh": taylor_series.acosh,
    "Asin": taylor_series.asin,
    "Asinh": taylor_series.asinh,
    "Atan": taylor_series.atan,
    "Atanh": taylor_series.atanh,
    "Cos": taylor_series.cos,
    "Cosh": taylor_series.cosh,
    "Digamma": taylor_series.digamma,
    "Elu": taylor_series.elu,
    "Erf": taylor_series.erf,
    "Erfc": taylor_series.erfc,
    "Exp": taylor_series.exp,
    "Expm1": taylor_series.expm1,
    "Inv": taylor_series.reciprocal,
    "Lgamma": taylor_series.lgamma,
    "Log": taylor_series.log,
    "Log1p": taylor_series.log1p,
    "Reciprocal": taylor_series.reciprocal,
    "Rsqrt": taylor_series.rsqrt,
    "Selu": taylor_series.selu,
    "Sigmoid": taylor_series.sigmoid,
    "Sin": taylor_series.sin,
    "Sinh": taylor_series.sinh,
    "Softplus": taylor_series.softplus,
    "Softsign": taylor_series.softsign,
    "Sqrt": taylor_series.sqrt,
    "Square": taylor_series.square,
    "Tan": taylor_series.tan,
    "Tanh": taylor_series.tanh,
}.items():
    register(_name, by_tapes=_name in _BY_TAPES)(elementwise(_tower))

_KINK_AT_ZERO = {"has_kinks": True, "choice": choices.sign}
register("Abs", by_tapes=True, **_KINK_AT_ZERO)(elementwise(taylor_series.absolute))
register("Relu", by_tapes=True, **_KINK_AT_ZERO)(elementwise(taylor_series.relu))
register("Relu6", by_tapes=True, has_kinks=True, choice=lambda x: choices.within(x, 0.0, 6.0))(
    elementwise(taylor_series.relu6)
)
register("Erfinv", **BROADCASTING)(Facts())  # has no rule


@register("LeakyRelu", **BROADCASTING, **_KINK_AT_ZERO)
def _leaky_relu(call, x):
    return [compose(x, taylor_series.leaky_relu(call.attribute("alpha")))]


@register("Polygamma", along=())
def _polygamma(call, order, x):
    if isinstance(order, Jet):  # TensorFlow has no derivative with respect to it, and says so
        return generic(call, order, x)
    return [compose_with_variables(x, taylor_series.polygamma(order))]


# Made of others ----------------------------------------------------------------------------


def _exponentials(x):
    """`exp(x - shift)` and its sum over the last axis, on jets.

    Any shift will do. It is the mean of `x`, derivatives included, with the softmax as weights but
    for the largest value in place of its own mean: derivatives of the sum are then small, and
    little is lost by the quotient.
    """
    x = full(x)
    weights = tf.nn.softmax(x.value)

    def mean(channel):
        return tf.stop_gradient(tf.reduce_sum(weights * channel, axis=-1, keepdims=True))

    largest = tf.stop_gradient(tf.reduce_max(x.value, axis=-1, keepdims=True))
    shift = each_channel(mean, x).with_value(largest)
    powers = compose(add(x, shift, tf.subtract), taylor_series.exp)
    return shift, powers, each_channel(lambda c: tf.reduce_sum(c, axis=-1, keepdims=True), powers)


@register("Softmax", along=-1)
def _softmax(call, x):
    _, powers, total = _exponentials(x)
    return [
        multiply(powers, compose(total, taylor_series.reciprocal)).with_value(call.emit(x.value)[0])
    ]


@register("LogSoftmax", along=-1)
def _log_softmax(call, x):
    shift, _, total = _exponentials(x)
    logarithm = add(add(x, shift, tf.subtract), compose(total, taylor_series.log), tf.subtract)
    return [logarithm.with_value(call.emit(x.value)[0])]


@register("Atan2", **BROADCASTING)
def _angle(call, y, x):
    """The arc tangent of the smaller side over the larger one; the rest is constant."""
    (angle,) = call.run.through(_angle_but_for_a_constant, [y, x])
    return [angle.with_value(call.emit_values(y, x)[0])]


def _angle_but_for_a_constant(y, x):
    steep = tf.abs(y) > tf.abs(x)
    return tf.atan(tf.where(steep, -x, y) / tf.where(steep, y, x))


def _where_both_are_zero(function):
    """`x * function(y)`, and zero where both are: its derivatives there do not exist."""

    def product(x, y):
        value = function(y)
        return x * tf.where(tf.equal(x, 0) & tf.math.is_inf(value), tf.zeros_like(value), value)

    return product


register("Xdivy", **BROADCASTING)(composite(_where_both_are_zero(tf.math.reciprocal)))
register("Xlogy", **BROADCASTING)(composite(_where_both_are_zero(tf.math.log)))
register("Xlog1py", **BROADCASTING)(composite(_where_both_are_zero(tf.math.log1p)))
register("L2Loss", along=every_axis)(composite(lambda x: tf.reduce_sum(x * x) / 2.0))


def _cross_entropy(logits, labels):
    """With the second output, its slope with respect to the logits."""
    loss = -tf.reduce_sum(labels * tf.nn.log_softmax(logits), axis=1)
    return loss, tf.nn.softmax(logits) - labels


register("SoftmaxCrossEntropyWithLogits", along=-1)(composite(_cross_entropy))
