"""The operators and the sine problem in kpinn."""

import functools
import platform
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from operators import OPERATORS, SINE, Case, truth

import kpinn
from kpinn.derivatives import choice
from kpinn.derivatives.api import parse_all
from kpinn.derivatives.names.space import Space

STEP = 2.0**-4  # of finite differences where no step would leave two digits
FEW = 8  # points of an error
ZERO = tf.UnconnectedGradients.ZERO

warnings.simplefilter("ignore", kpinn.PrecisionWarning)  # only the times count here


def versions():
    """What was measured."""
    found = {"python": platform.python_version(), "tensorflow": tf.__version__}
    return found | {"keras": keras.__version__, "kpinn": kpinn.__version__}


def arrays(result):
    """What a step returns, in numpy."""
    return [np.asarray(each) for each in result]


def network(case):
    """The network in Keras."""
    made = kpinn.networks.MLP(case.width, case.depth, case.sizes[1], dtype=case.dtype)
    made.build((None, case.sizes[0]))
    made.set_weights(case.weights())
    return made


def derivatives(case, function, x, method):
    """The values of the operator's requests by name."""
    it = OPERATORS[case.operator]
    return kpinn.derivatives(function, x, it.requests, it.coordinates, it.fields, method)


def resolve(case, name):
    """The `method=` of that name; finite differences get a step where none would be accepted."""
    if name == "recompute":
        return kpinn.Taylor(recompute=True)
    return _difference(case.operator, case.dtype) if name == "finite_difference" else name


@functools.cache
def _difference(operator, dtype):
    small = Case(operator, width=2, depth=1, dtype=dtype, points=FEW)
    try:
        if operator != SINE:
            derivatives(small, network(small), small.x(), kpinn.FiniteDifference())
    except ValueError:
        return kpinn.FiniteDifference(step=STEP)
    return kpinn.FiniteDifference()


# Steps -------------------------------------------------------------------------------------


def steps(case, methods):
    """Dict from `(method, "XLA" or "plain")` to a function that returns the loss's gradient."""
    return {key: _step(case, *key) for key in _keys(methods)}


def _keys(methods):
    """XLA would compile forward accumulators anew in each step."""
    pairs = [(name, variant) for name in methods for variant in ("XLA", "plain")]
    return [pair for pair in pairs if pair != ("forward", "XLA")]


def _step(case, name, variant):
    model, x, method = network(case), tf.constant(case.x()), resolve(case, name)
    variables = [variable.value for variable in model.trainable_variables]

    @tf.function(autograph=False, jit_compile=variant == "XLA")
    def step(x):
        with tf.GradientTape() as tape:
            values = derivatives(case, model, x, method)
            residuals = OPERATORS[case.operator].residual(values)
            loss = tf.add_n([tf.reduce_mean(residual**2) for residual in residuals])
        return tape.gradient(loss, variables, unconnected_gradients=ZERO)

    return lambda: step(x)


def _sine_value(x, u):
    return u - ops.sin(x)


def _sine_slope(x, u_x):
    return u_x - ops.cos(x)


def sine(case, epochs, rate, methods):
    """The sine problem: functions as in `steps` that run epochs of `fit` and return the loss."""
    return {key: _fit(case, epochs, rate, *key) for key in _keys(methods)}


def _fit(case, epochs, rate, method, variant):
    conditions = [_sine_value, _sine_slope]
    pinn = kpinn.PINN(network(case), "x", "u", conditions=conditions, method=method)
    pinn.compile(keras.optimizers.Adam(rate), jit_compile=variant == "XLA")
    points = {"x": case.x()}
    return lambda: pinn.fit(points, epochs=epochs, verbose=0).history["loss"][-1:]


# Error, work and memory --------------------------------------------------------------------


def error(case, name):
    """The largest relative error of the values of the requests (of the residuals, for variants)."""
    operator, x = OPERATORS[case.operator], case.x()[:FEW]
    found = derivatives(case, network(case), x, resolve(case, name))
    expected = truth(operator, case.weights(), x)
    if operator.plain:
        found, expected = operator.residual(found), operator.reference(expected)
    else:
        found, expected = ([values[n] for n in operator.names] for values in (found, expected))
    pairs = [(np.ravel(a), np.ravel(b)) for a, b in zip(found, expected, strict=True)]
    return float(max(np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in pairs))


def work(case, name):
    """The passes through the network, `None` where nobody counts them."""
    operator = OPERATORS[case.operator]
    space = Space(operator.coordinates, operator.fields)
    requests = parse_all(operator.requests, space, ())
    if name in ("auto", "taylor", "recompute", "reverse"):
        few = {"auto": choice.cheaper(requests, space), "reverse": requests}.get(name, [])
        rest = [request for request in requests if request not in few]
        return choice.passes(few, space) + choice.channels(rest, space)
    if name != "finite_difference":
        return None
    rows = []

    def count(x):
        if tf.executing_eagerly():  # not where it is traced, to look at its operations
            rows.append(x.shape[0])
        return tf.zeros((tf.shape(x)[0], case.sizes[1]), x.dtype)

    derivatives(case, count, case.x()[:FEW], resolve(case, name))
    return sum(rows) / min(FEW, case.points)


def peak(case, name, variant):
    """Megabytes that TensorFlow allocates at most while a step runs, beside what stays.

    Needs the allocator that counts: `TF_CPU_ALLOCATOR_USE_BFC=true` in the environment.
    """
    tf.raw_ops.Empty(shape=[2**30], dtype=tf.float32)  # freed: else sizes are rounded up
    step = _step(case, name, variant)
    step()
    device = "CPU:0"
    tf.config.experimental.reset_memory_stats(device)
    before = tf.config.experimental.get_memory_info(device)["current"]
    step()
    return (tf.config.experimental.get_memory_info(device)["peak"] - before) / 2**20
