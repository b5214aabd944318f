"""The gradient of each point's outputs with respect to parameters, by one backward pass.

Where points do not influence each other, the gradient of the sum over all points of one output
column with respect to a tensor with rows for each point holds the gradient of every point. So the
graph of a computation is searched for the operations in which parameters meet such rows, and the
backward pass goes to their outputs: for `Z = X W` the gradient of a point with respect to `W` is
the outer product of its row of `X` with its row of the gradient with respect to `Z`. That points do
not influence each other is proved from the graph (`point_labels`); where it cannot be, each row of
the Jacobian is a backward pass of its own.
"""

import contextlib
import contextvars
import math

import numpy as np
import tensorflow as tf

from kpinn.derivatives.errors import describe
from kpinn.derivatives.point_labels import MixedError, carry, labels_of_points
from kpinn.derivatives.point_products import (
    Factors,
    Sum,
    Use,
    is_differentiable_alone,
    pass_on,
)
from kpinn.derivatives.tensorflow_private import captured

_per_point = contextvars.ContextVar("per_point", default=False)


@contextlib.contextmanager
def channels_per_point():
    """Within it, propagations carry channels with a row for each point.

    A channel that is the same for all points is otherwise one row, whose gradient is a sum.
    """
    token = _per_point.set(True)
    try:
        yield
    finally:
        _per_point.reset(token)


def wants_channels_per_point():
    """Whether a propagation runs within `channels_per_point`."""
    return _per_point.get()


def point_gradients(output, variables, points, tape, report):
    """The gradients of every point, in the graph under construction.

    Args:
        output: tensor `(n, k)` of that graph, with `n` and `k` known.
        variables: list of `tf.Variable`.
        points: list of tensors of that graph, before which nothing is looked at.
        tape: a persistent `tf.GradientTape` that has recorded `output` and watched the variables.
        report: called with the reason if points may influence each other.

    Returns:
        For each of the `k` columns a list with `Factors` for each variable.
    """
    if output.shape[0] == 1:
        return _row_by_row(output, variables, tape)
    graph = _Graph(output, variables, points)
    if graph.reason:
        report(graph.reason)
        return _row_by_row(output, variables, tape)
    columns = range(output.shape[1])
    found = [graph.gradients(_ones_in_column(k, output)) for k in columns]
    return [[column.get(i, Factors()) for i in range(len(variables))] for column in found]


def _ones_in_column(k, output):
    column = tf.one_hot(k, output.shape[1], dtype=output.dtype)
    return tf.broadcast_to(column, output.shape)


def _row_by_row(output, variables, tape):
    """A backward pass for each entry of the output, right for any computation."""
    count, size = output.shape

    def row(i):
        seed = tf.reshape(tf.one_hot(i, count * size, dtype=output.dtype), output.shape)
        gradients = tape.gradient(output, variables, output_gradients=seed)
        return [
            tf.zeros(v.shape, v.dtype) if g is None else tf.convert_to_tensor(g)
            for g, v in zip(gradients, variables, strict=True)
        ]

    specs = [tf.TensorSpec(v.shape, v.dtype) for v in variables]
    found = tf.map_fn(row, tf.range(count * size), fn_output_signature=specs)
    parts = [
        tf.reshape(part, (count, size, math.prod(v.shape)))
        for part, v in zip(found, variables, strict=True)
    ]
    return [[Factors(rest=part[:, k]) for part in parts] for k in range(size)]


class _Graph:
    """How an output `(n, k)` depends on variables.

    Attributes:
        output: the output.
        count: number of points.
        labels: labels of the tensors with points, by name.
        moving: names of the tensors that depend on variables point by point.
        plain: tensors that depend on variables only, by name.
        values: position of the variable whose value a tensor is, by name.
        mixed: why a tensor depends on variables in another way, by name.
        uses: list of `Use`.
        chain: list of the operations between tensors of `plain`.
    """

    def __init__(self, output, variables, points):
        self.output, self.count = output, output.shape[0]
        self.labels = {p.name: labels_of_points(self.count, p.shape.rank) for p in points}
        self.moving, self.plain, self.values, self.mixed = set(), {}, {}, {}
        self.uses, self.chain = [], []
        handles = {captured(v.handle).name: i for i, v in enumerate(variables)}
        for operation in _before(output, set(self.labels)):
            self._add(operation, handles)

    @property
    def reason(self):
        """Why points may influence each other; `None` if they do not."""
        name = self.output.name
        if name in self.moving:
            labels = np.broadcast_to(self.labels[name], self.output.shape)
            own = labels_of_points(self.count, 2)
            return None if np.all((labels == own) | (labels == 0)) else "the points change places"
        if name in self.plain:
            return "the residual depends on parameters, and not on the points"
        return self.mixed.get(name)

    def _add(self, operation, handles):
        names = [tensor.name for tensor in operation.inputs]
        outputs = [tensor for tensor in operation.outputs if tensor.dtype.is_floating]
        reason = next((self.mixed[name] for name in names if name in self.mixed), None)
        moving = {i: self.labels[name] for i, name in enumerate(names) if name in self.moving}
        plain = [i for i, name in enumerate(names) if name in self.plain]
        if operation.type == "ReadVariableOp" and names[0] in handles:
            self.values[outputs[0].name] = handles[names[0]]
            self.plain[outputs[0].name] = outputs[0]
        elif any(name in handles for name in names):
            self._mix(outputs, f"{describe(operation)} reads parameters")
        elif not outputs or operation.type in ("StopGradient", "ZerosLike", "OnesLike"):
            pass
        elif reason:
            self._mix(outputs, reason)
        elif operation.type == "IdentityN" and (moving or plain):
            self._add_several(operation, moving, plain)
        elif moving:
            self._add_moving(operation, moving, plain)
        elif plain:
            self._add_plain(operation, plain)
        else:
            self._add_constant(operation)

    def _mix(self, outputs, reason):
        self.mixed |= {tensor.name: reason for tensor in outputs}

    def _add_moving(self, operation, labels, plain):
        """An operation on tensors with points, and on parameters at the positions `plain`."""
        outputs = [tensor for tensor in operation.outputs if tensor.dtype.is_floating]
        try:
            found = carry(operation, labels)
            uses = [Use(operation, i, labels, found[0]) for i in plain]
            if not all(use.is_known(self.count) for use in uses):
                raise MixedError(f"{describe(operation)} takes parameters in an unknown way")
        except MixedError as error:
            self._mix(outputs, str(error))
        else:
            self._meet(operation, found, uses)

    def _meet(self, operation, found, uses):
        self.uses += uses
        self.moving |= {tensor.name for tensor in operation.outputs if tensor.dtype.is_floating}
        self._label(operation, found)

    def _first_labels(self, operation, labels):
        """Labels of the outputs where parameters meet points, empty if they do not."""
        if labels:
            return carry(operation, labels)
        copies = operation.type == "BroadcastTo" and _may_have_points(
            operation.outputs[0], self.count
        )
        return [labels_of_points(self.count, operation.outputs[0].shape.rank)] if copies else []

    def _label(self, operation, found):
        names = [tensor.name for tensor in operation.outputs]
        self.labels |= dict(zip(names, found, strict=True))

    def _add_plain(self, operation, plain):
        """An operation on parameters and constants, which may have points."""
        labels = self._labels_of_constants(operation, plain)
        with contextlib.suppress(MixedError):
            found = self._first_labels(operation, labels)
            uses = [Use(operation, i, labels, found[0]) for i in plain if found]
            if uses and all(use.is_known(self.count) for use in uses):
                return self._meet(operation, found, uses)
        outputs = [tensor for tensor in operation.outputs if tensor.dtype.is_floating]
        if is_differentiable_alone(operation):
            self.plain |= {tensor.name: tensor for tensor in outputs}
            self.chain.append(operation)
            return None
        return self._mix(outputs, f"{describe(operation)} has tensors of unknown shape")

    def _labels_of_constants(self, operation, plain):
        """Labels of inputs that do not depend on variables, by position."""
        others = {i: t for i, t in enumerate(operation.inputs) if i not in plain}
        found = {i: self.labels[t.name] for i, t in others.items() if t.name in self.labels}
        return found or {
            i: labels_of_points(self.count, tensor.shape.rank)
            for i, tensor in others.items()
            if _may_have_points(tensor, self.count)
        }

    def _add_several(self, operation, labels, plain):
        """`IdentityN`; with a gradient of its own, that of an output goes to all inputs."""
        custom = "_gradient_op_type" in operation.node_def.attr
        for i, tensor in enumerate(operation.outputs):
            if custom and (plain or i not in labels):
                self._mix([tensor], f"{describe(operation)} has a gradient of its own")
            elif i in labels:
                self.moving.add(tensor.name)
                self.labels[tensor.name] = labels[i]
            elif i in plain and is_differentiable_alone(operation):
                self.plain[tensor.name] = tensor
            elif i in plain:
                self._mix([tensor], f"{describe(operation)} has tensors of unknown shape")
        if plain and not custom:
            self.chain.append(operation)

    def _add_constant(self, operation):
        """An operation that does not depend on variables."""
        names = [tensor.name for tensor in operation.inputs]
        labels = {i: self.labels[name] for i, name in enumerate(names) if name in self.labels}
        with contextlib.suppress(MixedError):
            if labels:
                self._label(operation, carry(operation, labels))

    # The backward pass ---------------------------------------------------------------------

    def gradients(self, upstream):
        """`Factors` by the position of the variable, for a gradient of the output `(n, k)`."""
        targets = {use.output.name: use.output for use in self.uses}
        found = tf.gradients(self.output, list(targets.values()), grad_ys=upstream)
        found = dict(zip(targets, found, strict=True))
        sums = {name: Sum(self.count, tensor) for name, tensor in self.plain.items()}
        for use in self.uses:
            gradient = found[use.output.name]
            if gradient is not None:
                part = use.gradient(tf.convert_to_tensor(gradient), self.count)
                sums[use.source.name].add(part)
        for operation in reversed(self.chain):
            pass_on(operation, sums)
        return self._by_variable(sums)

    def _by_variable(self, sums):
        """A variable may be read several times."""
        totals = {}
        for name, which in self.values.items():
            totals.setdefault(which, Sum(self.count, self.plain[name])).add_all(sums[name])
        return {which: total.factors() for which, total in totals.items()}


def _may_have_points(tensor, count):
    floating = tensor.dtype.is_floating and tensor.shape.is_fully_defined()
    return floating and tensor.shape.rank > 1 and tensor.shape[0] == count


def _before(output, ends):
    """The operations that a tensor is computed by, in order, from the tensors named `ends` on."""
    waiting, names = [output], set()
    while waiting:
        tensor = waiting.pop()
        if tensor.name not in ends and tensor.op.name not in names:
            names.add(tensor.op.name)
            waiting.extend(tensor.op.inputs)
    return [o for o in output.graph.get_operations() if o.name in names]
