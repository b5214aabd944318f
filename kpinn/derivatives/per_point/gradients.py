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

import numpy as np
import tensorflow as tf

from kpinn.derivatives.channels.channels_per_point import channels_per_point as channels_per_point
from kpinn.derivatives.errors import UnsupportedError, describe
from kpinn.derivatives.graphs.walker import needed_operations, walk
from kpinn.derivatives.operations import facts_of
from kpinn.derivatives.operations.labels import MixedError, labels_of_points
from kpinn.derivatives.operations.table import carry, follow
from kpinn.derivatives.per_point.custom_gradients import is_custom
from kpinn.derivatives.per_point.products import (
    OuterProducts,
    Sum,
    Use,
    can_be_issued_again,
    pass_on,
)
from kpinn.derivatives.tensorflow_private import captured, gradients_of, has_gradient


def point_gradients(outputs, variables, points, tape, report):
    """The gradients of every point, in the graph under construction.

    Args:
        outputs: dict from name to tensor `(n, k)` of that graph, with `n` and `k` known.
        variables: list of `tf.Variable`.
        points: dict from the same names to the tensors with points that it is computed from.
        tape: a `tf.GradientTape` that has recorded the outputs and watched the variables.
        report: called with a name and a reason if points may influence each other.

    Returns:
        A dict from name to a list with, for each of the `k` columns, a list with `OuterProducts`
        for each variable.
    """
    found, slow = {}, {}
    for name, output in outputs.items():
        if output.shape[0] == 1:
            found[name] = _of_one_point(output, variables)
            continue
        graph = _Graph(output, variables, points[name])
        reason = graph.reason or graph.missing(variables)
        if reason:
            report(name, reason)
            slow[name] = output
        else:
            found[name] = [graph.gradients(column) for column in _columns(output)]
    return found | (_row_by_row(slow, variables, tape) if slow else {})


def _columns(output):
    """Gradients `(n, k)` of the sum over each column."""
    for column in np.eye(output.shape[1]):
        yield tf.broadcast_to(tf.constant(column, output.dtype), output.shape)


def _of_one_point(output, variables):
    found = []
    for column in _columns(output):
        gradients = tf.gradients(output, variables, grad_ys=column)
        rows = [None if g is None else tf.reshape(g, (1, -1)) for g in gradients]
        found.append([OuterProducts(rest=row) for row in rows])
    return found


def _row_by_row(outputs, variables, tape):
    """A backward pass for each entry of the outputs, right for any computation."""
    sizes = [output.shape.num_elements() for output in outputs.values()]
    dtype = next(iter(outputs.values())).dtype

    def row(i):
        parts = tf.split(tf.one_hot(i, sum(sizes), dtype=dtype), sizes)
        seeds = [tf.reshape(p, o.shape) for p, o in zip(parts, outputs.values(), strict=True)]
        gradients = tape.gradient(list(outputs.values()), variables, output_gradients=seeds)
        return [
            tf.zeros(v.shape, v.dtype) if g is None else tf.convert_to_tensor(g)
            for g, v in zip(gradients, variables, strict=True)
        ]

    specs = [tf.TensorSpec(v.shape, v.dtype) for v in variables]
    scope = tf.compat.v1.get_variable_scope()
    device = scope.caching_device
    try:
        rows = tf.map_fn(row, tf.range(sum(sizes)), fn_output_signature=specs)
    except AssertionError as error:  # of cond_v2, if the branches are outside of the loop
        scope.set_caching_device(device)  # which `map_fn` leaves changed if it fails
        raise ValueError(
            "TensorFlow cannot differentiate tf.cond row after row, as this Jacobian needs it: use "
            "tf.where in the network, or an optimizer without a Jacobian, such as "
            "kpinn.optimizers.SSBroyden."
        ) from error
    found, starts = {}, np.cumsum([0, *sizes])
    for (name, output), start, stop in zip(outputs.items(), starts, starts[1:], strict=False):
        parts = [tf.reshape(part[start:stop], (*output.shape, -1)) for part in rows]
        found[name] = [[OuterProducts(rest=p[:, k]) for p in parts] for k in range(output.shape[1])]
    return found


class _Graph:
    """How an output `(n, k)` depends on variables.

    Attributes:
        output: the output.
        count: number of points.
        variables: number of variables.
        labels: labels of the tensors with points, by name.
        moving: names of the tensors that depend on variables point by point.
        plain: tensors that depend on variables only, by name.
        values: position of the variable whose value a tensor is, by name.
        rows: labels `(m,)` of tensors with `m` rows, each of a point, by `m`; `None` where they
            are several.
        mixed: why a tensor depends on variables in another way, by name.
        uses: list of `Use`.
        chain: list of the operations between tensors of `plain`.
    """

    def __init__(self, output, variables, points):
        self.output, self.count, self.variables = output, output.shape[0], len(variables)
        self.labels = {p.name: labels_of_points(self.count, p.shape.rank) for p in points}
        self.moving, self.plain, self.values, self.mixed = set(), {}, {}, {}
        self.uses, self.chain = [], []
        self.rows = {self.count: labels_of_points(self.count, 1)}
        handles = {captured(v.handle).name: i for i, v in enumerate(variables)}
        ends = set(self.labels)
        for operation in needed_operations(output.graph, [output]):
            if ends.isdisjoint(tensor.name for tensor in operation.outputs):
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

    def missing(self, variables):
        """Whether the output depends on a variable whose reading was not found."""
        known = set(self.values.values())
        unread = [v for i, v in enumerate(variables) if i not in known]
        gradients = tf.gradients(self.output, unread) if unread else []
        found = [v.name for v, g in zip(unread, gradients, strict=True) if g is not None]
        return f"{found[0]} is read in an unknown way" if found else None

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
        elif not outputs or (facts_of(operation).is_constant and not has_gradient(operation)):
            pass
        elif reason:
            self._mix(outputs, reason)
        elif operation.type == "IdentityN" and (moving or plain):
            self._add_several(operation, moving, plain)
        elif moving or plain:
            self._add_dependent(operation, moving, plain)
        else:
            self._add_constant(operation)

    def _mix(self, outputs, reason):
        self.mixed |= {tensor.name: reason for tensor in outputs}

    def _add_dependent(self, operation, moving, plain):
        """An operation on tensors with labels `moving`, and on parameters at positions `plain`."""
        outputs = [tensor for tensor in operation.outputs if tensor.dtype.is_floating]
        try:
            labels = moving or self._labels_of_constants(operation, plain)
            found = carry(operation, labels) if labels else self._labels_of_copies(operation)
            uses = [Use(operation, i, labels, found[0]) for i in plain]
            if not all(use.is_known(self.count) for use in uses):
                raise MixedError(f"{describe(operation)} takes parameters in an unknown way")
        except MixedError as error:
            if moving or not can_be_issued_again(operation):
                self._mix(outputs, str(error))
            else:
                self.plain |= {tensor.name: tensor for tensor in outputs}
                self.chain.append(operation)
        else:
            self.uses += uses
            self.moving |= {tensor.name for tensor in outputs}
            self._label(operation, found)

    def _labels_of_copies(self, operation):
        """Labels of parameters that are copied for each point."""
        output = operation.outputs[0]
        if operation.type != "BroadcastTo" or not self._may_have_points(output):
            raise MixedError(f"{describe(operation)} cannot be issued again")
        return [self._labels_by_row(output)]

    def _label(self, operation, found):
        names = [tensor.name for tensor in operation.outputs]
        self.labels |= dict(zip(names, found, strict=True))
        for labels in found:
            if labels.ndim and labels.size == len(labels) > 1 and labels.all():
                known = self.rows.setdefault(labels.size, labels.ravel())
                if known is not None and not np.array_equal(known, labels.ravel()):
                    self.rows[labels.size] = None

    def _may_have_points(self, tensor):
        """Whether a tensor without labels may have a row for each point, or several."""
        known = tensor.dtype.is_floating and tensor.shape.is_fully_defined()
        return known and tensor.shape.rank > 1 and self.rows.get(tensor.shape[0]) is not None

    def _labels_by_row(self, tensor):
        return self.rows[tensor.shape[0]].reshape([-1] + [1] * (tensor.shape.rank - 1))

    def _labels_of_constants(self, operation, plain):
        """Labels of inputs that do not depend on variables, by position."""
        others = {i: t for i, t in enumerate(operation.inputs) if i not in plain}
        found = {i: self.labels[t.name] for i, t in others.items() if t.name in self.labels}
        return found or {
            i: self._labels_by_row(tensor)
            for i, tensor in others.items()
            if self._may_have_points(tensor)
        }

    def _add_several(self, operation, labels, plain):
        """`IdentityN`; with a gradient of its own, that of an output goes to all inputs."""
        custom = "_gradient_op_type" in operation.node_def.attr
        apart = not custom or (not plain and self._goes_back_apart(operation, labels))
        for i, tensor in enumerate(operation.outputs):
            if not apart or (custom and i not in labels):
                self._mix([tensor], f"{describe(operation)} has a gradient of its own")
            elif i in labels:
                self.moving.add(tensor.name)
                self.labels[tensor.name] = labels[i]
            elif i in plain and can_be_issued_again(operation):
                self.plain[tensor.name] = tensor
            elif i in plain:
                self._mix([tensor], f"{describe(operation)} cannot be issued again")
        if plain and not custom:
            self.chain.append(operation)

    def _goes_back_apart(self, operation, labels):
        """Whether a gradient of an operation's own keeps the points apart as its inputs do."""
        if not is_custom(operation.node_def):
            return True
        upstream = [tf.identity(tensor) for tensor in operation.outputs]
        found = gradients_of(operation, upstream)
        ends = [tensor for tensor in found if tensor is not None]
        known = {t.name: labels.get(i) for i, t in enumerate(upstream)}
        try:
            after = iter(walk(operation.graph, self.labels | known, follow, ends))
        except (MixedError, UnsupportedError):
            return False
        after = [None if tensor is None else next(after) for tensor in found]
        return all(
            each is None or np.array_equal(each, labels.get(i, 0)) for i, each in enumerate(after)
        )

    def _add_constant(self, operation):
        """An operation that does not depend on variables."""
        names = [tensor.name for tensor in operation.inputs]
        labels = {i: self.labels[name] for i, name in enumerate(names) if name in self.labels}
        with contextlib.suppress(MixedError):
            if labels:
                self._label(operation, carry(operation, labels))
        for tensor in operation.outputs:  # an output of several may depend on no point
            if tensor.name in self.labels and not self.labels[tensor.name].any():
                del self.labels[tensor.name]

    # The backward pass ---------------------------------------------------------------------

    def gradients(self, upstream):
        """A list of `OuterProducts` for each variable, for a gradient of the output `(n, k)`."""
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
        totals = {}
        for name, which in self.values.items():  # a variable may be read several times
            totals.setdefault(which, Sum(self.count, self.plain[name])).add_all(sums[name])
        return [
            totals[i].outer_products() if i in totals else OuterProducts()
            for i in range(self.variables)
        ]
