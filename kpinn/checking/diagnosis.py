"""Which operation, of which layer, is the cause of a wrong derivative.

A traced function is propagated along one curve through each point, or evaluated, and what each
operation got and returned is kept and judged.
"""

import re

import numpy as np
import tensorflow as tf

from kpinn.checking.float64_copy import WRITES, Values
from kpinn.checking.rule_errors import Step, channels_of, choice, is_wrong, same_jets
from kpinn.derivatives.channels.algebra import algebra
from kpinn.derivatives.channels.jets import value_of
from kpinn.derivatives.channels.plan import Plan
from kpinn.derivatives.channels.symbols import derivative
from kpinn.derivatives.graphs.interpreter import Run
from kpinn.derivatives.graphs.tracing import bodies_of
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.operations import facts_of


class _Propagation(Run):
    """A propagation of jets that keeps what each operation got and returned."""

    def __init__(self, carried, passed):
        super().__init__(carried, report=lambda description: None)
        self.steps, self.passed = [], passed

    def outputs(self, operation, inputs, *rest):
        is_passed = operation.name == self.passed
        outputs = list(inputs) if is_passed else super().outputs(operation, inputs, *rest)
        self.steps.append(Step(operation, inputs, outputs))
        return outputs


class _Evaluation(Values):
    """The same for the values alone; no variable is written."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def issued(self, operation, inputs):
        outputs = [] if operation.type.startswith(WRITES) else super().issued(operation, inputs)
        self.steps.append(Step(operation, inputs, outputs))
        return outputs


class Tracer:
    """The operations of a `Subject` that is traced, and what they do at points `(n, d)`."""

    def __init__(self, subject, points):
        self.graph, self.points = subject.traced.graph, points
        parts = all_layers(subject.layer) if subject.layer is not None else []
        self.layers = {part.name for part in parts if part is not subject.layer}

    # Names ---------------------------------------------------------------------------------

    def where(self, operation):
        """`"Tanh in layer 'hidden' (net/hidden/Tanh)"`."""
        return self._at(operation.type, operation.name)

    def _at(self, kind, path):
        layer = self._layer_of(path)
        return kind + (f" in layer {layer!r}" if layer else "") + f" ({path})"

    def _layer_of(self, path):
        """The layers in the name of an operation, `"encoder/dense"`; empty if there are none."""
        found = []
        for part in path.split("/")[:-1]:
            # Keras opens each scope twice, so that `dense/` is `dense_1/`, `dense_1/` `dense_1_2/`.
            names = [name for name in (re.sub(r"_\d+$", "", part), part) if name in self.layers]
            found += names[:1]
        return "/".join(found)

    def with_layers(self, message):
        """A message of the engine, which names operations only, with the layers of these."""
        if " in layer " in message:
            return message
        paths = re.findall(r"\(([\w./-]+/[\w./-]+)\)", message)
        layers = dict.fromkeys(self._layer_of(path) for path in paths)
        layers = [repr(layer) for layer in layers if layer]
        return f"{message} (In layer {', '.join(layers)}.)" if layers else message

    def custom_gradients(self):
        """Where a `tf.custom_gradient` ends, texts as those of `where`."""
        marks = [(node, node.attr["_gradient_op_type"].s) for node in self._nodes()]
        return [self._at(n.op, n.name) for n, mark in marks if mark.startswith(b"CustomGradient")]

    def stops(self):
        """Where a gradient is stopped, texts as those of `where`."""
        return [self._at(node.op, node.name) for node in self._nodes() if node.op == "StopGradient"]

    def _nodes(self):
        return [node for body in bodies_of(self.graph) for node in body]

    # Causes --------------------------------------------------------------------------------

    def along(self, vectors, order, passed=""):
        """The `Step`s of a propagation to an order, from each point along vectors `(n, d)`.

        The operation of the name `passed` is left out, as if it were an identity.
        """
        carried = algebra(frozenset({frozenset(derivative([0] * order).items())}))
        run = _Propagation(carried, passed)
        seeds = Plan(carried, ("s",), {}).seeds(self.points, {"s": vectors})
        run.start(self.graph, [seeds])
        return run.steps

    def _values(self, points):
        """The `Step`s of the values at points."""
        run = _Evaluation()
        run.start(self.graph, [points])
        return run.steps

    def wrong_rules(self, vectors, order):
        """Sentences on operations whose derivatives along a curve are not those of their values."""
        steps = self.along(vectors, order)
        wrong = [step.operation for step in steps if is_wrong(step, order)]
        stops = [operation for operation in wrong if operation.type == "StopGradient"]
        for stop in stops:  # that in `x - stop_gradient(max(x))` changes nothing
            if same_jets(self.along(vectors, order, stop.name)[-1], steps[-1]):
                wrong.remove(stop)
        reasons = dict.fromkeys(map(self._reason, wrong))
        return " ".join(list(reasons)[:3]) or "No single operation was found to be the cause."

    def _reason(self, operation):
        where = self.where(operation)
        if operation.type == "StopGradient":
            return (
                f"{where} holds back the derivative of values that depend on the coordinates: "
                "leave it out, unless that is meant."
            )
        if facts_of(operation).rule:
            return f"The rule of {where} does not belong to the values of the operation."
        return f"TensorFlow's gradient of {where} does not belong to its values: register a rule."

    def first_not_finite(self, vectors, order, rows):
        """The first operation that makes a number that is not finite at given points."""
        for step in self.along(vectors, order):
            if _finite_at(step.inputs, rows) and not _finite_at(step.outputs, rows):
                return self.where(step.operation)
        return None

    def first_mixing(self, rows):
        """The first operation whose value at a point changes where others are left out."""
        runs = [self._values(each) for each in (self.points, tf.gather(self.points, rows))]
        for whole, part in zip(*runs, strict=False):
            for a, b in zip(whole.outputs, part.outputs, strict=True):
                if differs(a, b, rows, self.points.shape[0]):
                    return self.where(whole.operation)
        return None

    def crossed(self, low, high):
        """By operation, as in `where`, the points `(n,)` at which it chooses otherwise."""
        found, count = {}, low.shape[0]
        for one, two in zip(self._values(low), self._values(high), strict=False):
            before, after = (choice(step.operation, step.inputs) for step in (one, two))
            if before is not None and before.shape[:1] == (count,) and before.shape == after.shape:
                rows = (before != after).reshape(count, -1).any(axis=1)
                if rows.any():
                    where = self.where(one.operation)
                    found[where] = rows | found.get(where, False)
        return found


def _finite_at(values, rows):
    """Whether jets and tensors are finite at the points `rows`."""
    for value in values:
        if not isinstance(value, tf.Variable) and value_of(value).dtype.is_floating:
            for part in channels_of(value):
                part = part[rows] if part.ndim and len(part) == len(rows) else part
                if not np.isfinite(part).all():
                    return False
    return True


def differs(whole, part, rows, count):
    """Whether values at all `count` points are others at the points `rows` than `part`."""
    if not whole.dtype.is_floating:
        return False
    epsilon = np.finfo(whole.dtype.as_numpy_dtype).eps
    whole, part = np.asarray(whole, np.float64), np.asarray(part, np.float64)
    if whole.ndim and len(whole) == count and whole.shape[1:] == part.shape[1:]:
        whole = whole[rows] if len(part) == len(rows) else whole
    if whole.shape != part.shape:
        return False  # a shape that follows the number of points
    size = np.max(np.abs(whole[np.isfinite(whole)]), initial=0.0)
    return not np.allclose(whole, part, rtol=0.0, atol=1e4 * epsilon * size, equal_nan=True)
