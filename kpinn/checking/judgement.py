"""One operation by itself: are the derivatives that its rule returned those of its values?

The inputs of an operation along a curve through each point are known from the propagation. The
operation is evaluated along that curve, and its outputs are differenced.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kpinn.checking.witness import FIRST, LEVELS, extrapolate, nodes, noise_in
from kpinn.derivatives.algebra import derivative
from kpinn.derivatives.emission import emit
from kpinn.derivatives.jets import Jet, dense, value_of
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


def channels_of(value):
    """The channels of a jet or tensor as arrays."""
    parts = dense(value).channels if isinstance(value, Jet) else [value]
    return [np.asarray(part) for part in parts]


def finite_at(values, rows):
    """Whether jets and tensors are finite at the points `rows`."""
    for value in values:
        if not isinstance(value, tf.Variable) and value_of(value).dtype.is_floating:
            for part in channels_of(value):
                part = part[rows] if part.ndim and len(part) == len(rows) else part
                if not np.isfinite(part).all():
                    return False
    return True


# Rules -------------------------------------------------------------------------------------


def rule_error(step, order):
    """The relative error of what a rule returned; zero if differences do not contradict it.

    Args:
        step: a `Step` of jets along one curve.
        order: the highest order of their derivatives.
    """
    if not step.moves or step.operation.type in CONTROL_FLOW or not _is_floating(step):
        return 0.0
    curve, worst = _Curve(step), 0.0
    for position, output in enumerate(step.outputs):
        if value_of(output).dtype.is_floating:
            found = along_curve(output, order)
            for k in range(1, order + 1):
                worst = max(worst, _contradiction(found[k], curve, position, k))
    return worst


def _is_floating(step):
    return all(value_of(v).dtype.is_floating for v in step.inputs if isinstance(v, Jet))


def _contradiction(found, curve, position, order):
    limit, error, level = curve.derivative(position, order)
    size = np.max(np.abs(limit[np.isfinite(limit)]), initial=0.0)
    with np.errstate(invalid="ignore"):
        apart = np.abs(found - limit)
        wrong = (apart > 10.0 * error + 1e-9 * size) & ~curve.changes(level)
    return float(np.max(apart[wrong], initial=0.0) / (size or 1.0))


def along_curve(value, order):
    """Values and derivatives along the curve, arrays by order; zeros for a tensor."""
    channels = channels_of(value)
    if not isinstance(value, Jet):
        return channels + [np.zeros_like(channels[0])] * order
    reads = [value.algebra.read(derivative([0] * k)) for k in range(order + 1)]
    return [sum(float(factor) * channels[k] for k, factor in read.items()) for read in reads]


class _Curve:
    """The outputs of an operation along the curve of its inputs."""

    def __init__(self, step):
        self.step, self.known = step, {}
        self.epsilon = max(np.finfo(np.asarray(value_of(v)).dtype).eps for v in self._jets())

    def _jets(self):
        return [value for value in self.step.inputs if isinstance(value, Jet)]

    def inputs(self, time):
        return [_moved(value, time) for value in self.step.inputs]

    def outputs(self, time):
        if time not in self.known:
            outputs = emit(self.step.operation, self.inputs(time))
            self.known[time] = [np.asarray(value) for value in outputs]
        return self.known[time]

    def derivative(self, position, order):
        """The derivative of an output at time zero, see `extrapolate`."""
        table, differences, rounding, scales = nodes({"s": order}), [], [], []
        with np.errstate(invalid="ignore", over="ignore"):
            for width in FIRST / 2.0 ** np.arange(LEVELS):
                values = [self.outputs(offset * width)[position] for (offset,) in table]
                total = sum(w * v for w, v in zip(table.values(), values, strict=True))
                scales.append(sum(map(abs, table.values())) / width**order)
                differences.append(total / width**order)
                rounding.append(8.0 * self.epsilon * np.max(np.abs(values), axis=0) * scales[-1])
            differences, scales = np.array(differences), np.array(scales)
            scales = scales.reshape(-1, *[1] * (differences.ndim - 1))
            noise = noise_in(differences, scales) * scales
            return extrapolate(differences, np.array(rounding) + noise)

    def changes(self, level):
        """Where a choice of the operation changes within the steps of the differences."""
        width = 2.0 * FIRST / 2.0 ** np.min(level, initial=LEVELS)
        before, after = (choice(self.step.operation, self.inputs(t)) for t in (-width, width))
        if before is None or before.shape != level.shape:
            return np.zeros(level.shape, bool)
        return before != after


def _moved(value, time):
    """A jet at another place of its curve."""
    if not isinstance(value, Jet):
        return value.handle if isinstance(value, tf.Variable) else value
    order = value.algebra.order
    factors = np.cumprod([1.0, *(time / k for k in range(1, order + 1))])
    parts = zip(along_curve(value, order), factors, strict=True)
    return tf.constant(sum(part * factor for part, factor in parts), value.dtype)


# Choices -----------------------------------------------------------------------------------


def choice(operation, inputs):
    """What an operation decides by the values that it gets, as an array; `None` if nothing."""
    make = facts_of(operation).choice
    return make and make(*(np.asarray(value_of(value)) for value in inputs))
