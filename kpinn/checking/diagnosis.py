"""Which operation, of which layer, is the cause of a wrong derivative.

A traced function is propagated along one curve through each point, or evaluated, and what each
operation got and returned is kept and judged (`judgement.py`).
"""

import re

import numpy as np
import tensorflow as tf

from kpinn.checking.judgement import Step, along_curve, choice, finite_at, rule_error
from kpinn.derivatives.algebra import algebra, derivative
from kpinn.derivatives.emission import emit
from kpinn.derivatives.interpreter import Run
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.methods.taylor import Plan
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.operations.control_flow import CONTROL_FLOW
from kpinn.derivatives.tracing import trace

WRITES = ("Assign", "ResourceApply", "ResourceScatter")


class _Recorded(Run):
    """A propagation that keeps what each operation got and returned."""

    def __init__(self, carried, passed=()):
        super().__init__(carried, report=lambda description: None)
        self.steps, self.passed = [], passed

    def outputs(self, operation, inputs, *rest):
        if operation.name in self.passed:
            outputs = list(inputs)
        else:
            outputs = super().outputs(operation, inputs, *rest)
        self.steps.append(Step(operation, inputs, outputs))
        return outputs


class _Values(Run):
    """The values alone: nothing is refused, and no variable is written."""

    def __init__(self):
        super().__init__(None, report=lambda description: None)
        self.steps = []

    def outputs(self, operation, inputs, *rest):
        if operation.type.startswith(WRITES):
            return []
        if operation.type == "ReadVariableOp" or operation.type in CONTROL_FLOW:
            return super().outputs(operation, inputs, *rest)
        inputs = [value.handle if isinstance(value, tf.Variable) else value for value in inputs]
        outputs = emit(operation, inputs)
        self.steps.append(Step(operation, inputs, outputs))
        return outputs


class Tracer:
    """A traced function, and what its operations do.

    Args:
        function: `(n, d) -> (n, m)`.
        points: tensor `(n, d)`.
        layer: the Keras layer whose parts are to be named, or `None`.

    Raises:
        TraceError: for a function that cannot be traced.
    """

    def __init__(self, function, points, layer=None):
        self.points = points
        self.traced = trace(function, points.shape[1], points.dtype, points.shape[0])
        parts = all_layers(layer) if layer is not None else []
        self.layers = {part.name for part in parts if part is not layer}

    # Names ---------------------------------------------------------------------------------

    def where(self, operation):
        """`"Tanh in layer 'hidden' (net/hidden/Tanh)"`."""
        return self._at(operation.type, operation.name)

    def _at(self, kind, path):
        layer = self.layer_of(path)
        return kind + (f" in layer {layer!r}" if layer else "") + f" ({path})"

    def layer_of(self, path):
        """The layers in the name of an operation, `"encoder/dense"`; empty if there are none."""
        found = []
        for part in path.split("/")[:-1]:
            # Keras opens each scope twice, so that `dense/` is `dense_1/`, `dense_1/` `dense_1_2/`.
            names = [name for name in (re.sub(r"_\d+$", "", part), part) if name in self.layers]
            found += names[:1]
        return "/".join(found)

    def with_layers(self, message):
        """A message of the engine, which names operations, with the layers of these."""
        paths = re.findall(r"\(([\w./-]+/[\w./-]+)\)", message)
        layers = dict.fromkeys(self.layer_of(path) for path in paths)
        layers = [repr(layer) for layer in layers if layer]
        return f"{message} (In layer {', '.join(layers)}.)" if layers else message

    def explain(self, operations):
        """Sentences on operations that are the cause of a wrong derivative."""
        reasons = dict.fromkeys(map(self._reason, operations))
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

    # Propagations --------------------------------------------------------------------------

    def along(self, vectors, order, passed=()):
        """What happens along a curve through each point: the `Step`s, and the outputs at the end.

        Args:
            vectors: tensor `(n, d)`.
            order: highest order of the derivatives along the curve.
            passed: names of operations that are left out, as if they were identities.
        """
        carried = algebra(frozenset({frozenset(derivative([0] * order).items())}))
        run = _Recorded(carried, passed)
        seeds = Plan(carried, ("s",), {}).seeds(self.points, {"s": vectors})
        outputs = run.start(self.traced.graph, [seeds])
        return run.steps, outputs[0]

    def values(self, points):
        """The `Step`s of the values at points."""
        run = _Values()
        run.start(self.traced.graph, [points])
        return run.steps

    # Causes --------------------------------------------------------------------------------

    def wrong_rules(self, vectors, order):
        """The `Step`s whose derivatives along a curve are not those of their values."""
        steps, outputs = self.along(vectors, order)
        wrong = [step for step in steps if rule_error(step, order)]
        return [step for step in wrong if self._matters(step, outputs, vectors, order)]

    def _matters(self, step, outputs, vectors, order):
        """Whether a stop changes the result: that in `x - stop_gradient(max(x))` may not."""
        if step.operation.type != "StopGradient":
            return True
        _, passed = self.along(vectors, order, (step.operation.name,))
        before, after = along_curve(outputs, order), along_curve(passed, order)
        size = max(np.max(np.abs(part), initial=0.0) for part in after)
        pairs = zip(before, after, strict=True)
        return max(np.max(np.abs(a - b), initial=0.0) for a, b in pairs) > 1e-9 * size

    def first_not_finite(self, vectors, order, rows):
        """The first operation that makes a number that is not finite at given points."""
        for step in self.along(vectors, order)[0]:
            if finite_at(step.inputs, rows) and not finite_at(step.outputs, rows):
                return step.operation
        return None

    def mixing(self, rows):
        """The first operation whose value at a point changes where others are left out."""
        runs = [self.values(each) for each in (self.points, tf.gather(self.points, rows))]
        for whole, part in zip(*runs, strict=False):
            for a, b in zip(whole.outputs, part.outputs, strict=True):
                if differs(a, b, rows, self.points.shape[0]):
                    return whole.operation
        return None

    def near_kinks(self, low, high, names):
        """Where the choices of operations change between two sets of places.

        Args:
            low: tensor `(n, d)`.
            high: tensor `(n, d)`.
            names: names of the operations that are looked at.

        Returns:
            A dict from the name of an operation to a boolean array `(n,)` with some `True`.
        """
        found, count = {}, low.shape[0]
        for one, two in zip(self.values(low), self.values(high), strict=False):
            if one.operation.name in names:
                before, after = (choice(step.operation, step.inputs) for step in (one, two))
                if before.ndim and len(before) == count:
                    rows = (before != after).reshape(count, -1).any(axis=1)
                    found |= {one.operation.name: rows} if rows.any() else {}
        return found

    def custom_gradients(self):
        """Where a `tf.custom_gradient` ends, texts as those of `where`."""
        graph = self.traced.graph.as_graph_def()
        bodies = [graph.node, *(part.node_def for part in graph.library.function)]
        nodes = [node for body in bodies for node in body]
        return [self._at(n.op, n.name) for n in nodes if _mark(n).startswith(b"CustomGradient")]

    def stopped_variables(self):
        """Pairs of a `StopGradient` and the name of a variable that flows into it."""
        graph, found = self.traced.graph, []
        names = {id(v.handle): v.name.split(":")[0] for v in graph.variables}
        captured = {inner.name: names.get(id(outer)) for outer, inner in graph.captures}
        for operation in graph.get_operations():
            if operation.type == "StopGradient":
                sources = (captured.get(source) for source in _sources(operation))
                found += [(operation, name) for name in sources if name]
        return found


def _mark(node):
    return node.attr["_gradient_op_type"].s


def _sources(operation):
    """Names of the tensors that an operation depends on."""
    waiting, seen = [operation], set()
    while waiting:
        for tensor in waiting.pop().inputs:
            if tensor.name not in seen:
                seen.add(tensor.name)
                waiting.append(tensor.op)
    return sorted(seen)


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
