"""One operation by itself: are the derivatives that its rule returned those of its values?

The inputs of an operation along a curve through each point are known from the propagation. The
operation is evaluated along that curve, and its outputs are differenced.
"""

import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf

from kpinn.checking.differences import difference_in_time
from kpinn.derivatives.channels.full_channels import dense
from kpinn.derivatives.channels.jets import Jet, value_of
from kpinn.derivatives.channels.symbols import derivative
from kpinn.derivatives.graphs.emission import emit
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One operation of a propagation.

    Attributes:
        operation: the `tf.Operation`.
        inputs: what it got, jets and tensors.
        outputs: what it returned.
    """

    operation: tf.Operation
    inputs: list
    outputs: list

    @property
    def moves(self):
        """Whether it depends on the coordinates."""
        return any(isinstance(value, Jet) for value in self.inputs)


def choice(operation, inputs):
    """What an operation decides by the values that it gets, as an array; `None` if nothing."""
    make = facts_of(operation).choice
    return make and make(*(np.asarray(value_of(value)) for value in inputs))


def channels_of(value):
    """The channels of a jet or tensor as arrays."""
    return [np.asarray(c) for c in (dense(value).channels if isinstance(value, Jet) else [value])]


def same_jets(one, other):
    """Whether two `Step`s of the same operation returned the same."""
    for pair in zip(one.outputs, other.outputs, strict=True):
        for a, b in zip(*map(channels_of, pair), strict=True):
            if not np.allclose(a, b, rtol=0.0, atol=1e-9 * np.max(np.abs(b), initial=0.0)):
                return False
    return True


def is_wrong(step, order):
    """Whether differences contradict a rule.

    Args:
        step: a `Step` of jets along one curve.
        order: the highest order of their derivatives.
    """
    jets = [value for value in step.inputs if isinstance(value, Jet)]
    floating = all(value.dtype.is_floating for value in jets)
    if not jets or not floating or step.operation.type in CONTROL_FLOW:
        return False

    @functools.cache
    def outputs(time):
        return emit(step.operation, _inputs(step, time))

    epsilon = max(np.finfo(value.dtype.as_numpy_dtype).eps for value in jets)
    for i, output in enumerate(step.outputs):
        if value_of(output).dtype.is_floating:
            for k, found in enumerate(_along_curve(output, order)[1:], 1):
                known = difference_in_time(lambda time, i=i: outputs(time)[i], k, 1.0, epsilon)
                if _contradicts(step, found, *known):
                    return True
    return False


def _contradicts(step, found, limit, error, width):
    size = np.max(np.abs(limit[np.isfinite(limit)]), initial=0.0)
    with np.errstate(invalid="ignore"):
        wrong = np.abs(found - limit) > 10.0 * error + 1e-9 * size
    reach = 2.0 * np.max(width, initial=0.0)
    before, after = (choice(step.operation, _inputs(step, time)) for time in (-reach, reach))
    if before is not None and before.shape == wrong.shape:
        wrong &= before == after  # the differences do not go across a kink
    return wrong.any()


def _along_curve(value, order):
    """A value and its derivatives along the curve, arrays by order; zeros for a tensor."""
    channels = channels_of(value)
    if not isinstance(value, Jet):
        return channels + [np.zeros_like(channels[0])] * order
    reads = [value.algebra.read(derivative([0] * k)) for k in range(order + 1)]
    return [sum(float(factor) * channels[k] for k, factor in read.items()) for read in reads]


def _inputs(step, time):
    """The inputs of an operation at another place of their curve."""
    found = []
    for value in step.inputs:
        if isinstance(value, Jet):
            parts = _along_curve(value, value.algebra.order)
            total = sum(part * time**k / math.factorial(k) for k, part in enumerate(parts))
            value = tf.constant(total, value.dtype)
        found.append(value.handle if isinstance(value, tf.Variable) else value)
    return found
