"""Gradients of single points through one operation, for an input that all points share.

Such an input depends on parameters only. The gradient with respect to it is wanted for each point,
where TensorFlow's sums over the points.
"""

import typing

import numpy as np
import tensorflow as tf

from kpinn.derivatives.graphs.emission import emit, has_functions
from kpinn.derivatives.operations.labels import einsum_terms, static
from kpinn.derivatives.operations.table import facts_of


class OuterProducts(typing.NamedTuple):
    """Gradients of `n` points with respect to a tensor of size `a b`, not multiplied out.

    They are `left @ right + rest`, where `None` is zero.

    Attributes:
        left: `(n, a, c)`.
        right: `(n, c, b)`.
        rest: `(n, a b)`.
    """

    left: tf.Tensor | None = None
    right: tf.Tensor | None = None
    rest: tf.Tensor | None = None

    def matrix(self, count, size, dtype):
        """The gradients, `(count, size)`."""
        parts = [] if self.rest is None else [self.rest]
        if self.left is not None:
            parts.append(tf.reshape(tf.matmul(self.left, self.right), (count, size)))
        parts = [tf.cast(part, dtype) for part in parts]
        return sum(parts[1:], parts[0]) if parts else tf.zeros((count, size), dtype)


class Sum:
    """Gradients of `count` points with respect to one tensor, collected from its uses."""

    def __init__(self, count, tensor):
        self.count, self.size, self.dtype = count, tensor.shape.num_elements(), tensor.dtype
        self.pairs, self.rest = [], []

    def add(self, gradient):
        """Adds a pair `(n, a, c)`, `(n, c, b)` or a tensor with a row for each point."""
        if isinstance(gradient, tuple):
            self.pairs.append(tuple(tf.cast(part, self.dtype) for part in gradient))
        else:
            self.rest.append(tf.cast(tf.reshape(gradient, (self.count, self.size)), self.dtype))

    def add_all(self, other):
        """Adds what was collected for a tensor with the same entries in the same order."""
        for gradient in (*other.pairs, *other.rest):
            self.add(gradient)

    def outer_products(self):
        """All that was added, as `OuterProducts`."""
        rest = sum(self.rest[1:], self.rest[0]) if self.rest else None
        if not self.pairs:
            return OuterProducts(rest=rest)
        left, right = zip(*self.pairs, strict=True)
        return OuterProducts(tf.concat(left, 2), tf.concat(right, 1), rest)

    def matrix(self):
        """All that was added, `(n, size)`; `None` if nothing was."""
        if not self.pairs and not self.rest:
            return None
        return self.outer_products().matrix(self.count, self.size, self.dtype)


# Where it meets the points -----------------------------------------------------------------


class Use(typing.NamedTuple):
    """An operation on tensors with points and a tensor that depends on parameters only.

    Attributes:
        operation: the operation.
        position: of the input that depends on parameters only.
        labels: dict from the positions of the inputs with points to their labels.
        output_labels: those of the output.
    """

    operation: tf.Operation
    position: int
    labels: dict
    output_labels: np.ndarray

    @property
    def source(self):
        """The tensor that depends on parameters only."""
        return self.operation.inputs[self.position]

    @property
    def meets(self):
        """How it takes the two, see `Facts`."""
        return facts_of(self.operation).meets

    @property
    def output(self):
        """The output."""
        return self.operation.outputs[0]

    def axis(self):
        """The one axis of the output along which the points are; `None` if there are more."""
        axes = [axis for axis, size in enumerate(self.output_labels.shape) if size > 1]
        return axes[0] if len(axes) == 1 else None

    def is_known(self, count):
        """Whether `gradient` is right for it."""
        axis, meets = self.axis(), self.meets
        if axis is None or not self.source.shape.is_fully_defined():
            return False
        if any(_order(labels, count) is None for labels in self._all_labels()):
            return False
        if meets == "copies":
            return self._has_one(axis)
        if meets == "einsum":
            return self._is_product(axis)
        first = axis == 0 and all(labels.size == len(labels) for labels in self.labels.values())
        if meets == "bias":
            return first and self.operation.get_attr("data_format") == b"NHWC"
        if meets == "batches":
            return first and self._has_one(0)
        return first and meets in ("matrices", "samples")

    def _all_labels(self):
        return self.output_labels, *self.labels.values()

    def _has_one(self, axis):
        """Whether the source is the same along an axis of the output."""
        axis -= self.output.shape.rank
        return -axis > self.source.shape.rank or self.source.shape[axis] == 1

    def gradient(self, upstream, count):
        """The gradient of each point with respect to the source.

        Args:
            upstream: that of the output.
            count: number of points.

        Returns:
            What `Sum.add` takes.
        """
        ways = {
            "matrices": self._outer_product,
            "bias": self._total,
            "einsum": self._product,
            "copies": self._of_copies,
        }
        return ways.get(self.meets, self._one_by_one)(upstream, count)

    def _total(self, tensor, count):
        """The sum over the rows of each point, `(n, size of the source)`."""
        parts = by_point(tensor, self.output_labels, count)
        return tf.reduce_sum(tf.reshape(parts, (count, -1, self.source.shape.num_elements())), 1)

    def _outer_product(self, upstream, count):
        """For `Z = X W`, rows of `X` times rows of the gradient, summed over those of a point."""
        x = by_point(self.operation.inputs[0], self.labels[0], count)
        z = by_point(upstream, self.output_labels, count)
        if self.operation.get_attr("transpose_b"):
            x, z = z, x
        if x.shape[1] == 1:
            return tf.reshape(x, (count, x.shape[2], 1)), z
        return tf.transpose(x, (0, 2, 1)), z

    def _is_product(self, axis):
        """Whether the gradient of an `Einsum` is another, with each letter of the source in it."""
        inputs, output = einsum_terms(self.operation)
        letters, point = inputs[self.position], output[axis]
        others = "".join(inputs[: self.position] + inputs[self.position + 1 :]) + output
        return len(inputs) == 2 and point not in letters and set(letters) <= {*others}

    def _product(self, upstream, count):
        inputs, output = einsum_terms(self.operation)
        other, point = 1 - self.position, output[self.axis()]
        equation = f"{inputs[other]},{output}->{point}{inputs[self.position]}"
        found = tf.einsum(equation, self.operation.inputs[other], upstream)
        return self._total(found, count)

    def _of_copies(self, upstream, count):
        """Each row gets a copy, so that TensorFlow's gradient keeps the rows apart."""
        axis, rank = self.axis(), self.output.shape.rank
        shape = [1] * (rank - self.source.shape.rank) + list(self.source.shape)
        copies = list(shape)
        copies[axis] = self.output.shape[axis]
        copies = tf.broadcast_to(tf.reshape(self.source, shape), copies)
        found = _gradient(self.operation, self.position, copies, upstream)
        order = [axis, *(a for a in range(rank) if a != axis)]
        return self._total(found if axis == 0 else tf.transpose(found, order), count)

    def _one_by_one(self, upstream, count):
        """A loop over the points."""
        positions, inputs = list(self.labels), self.operation.inputs
        tensors = [by_point(upstream, self.output_labels, count)]
        tensors += [by_point(inputs[i], self.labels[i], count) for i in positions]

        def one(parts):
            moved = dict(zip(positions, parts[1:], strict=True))
            values = [moved.get(i, tensor) for i, tensor in enumerate(inputs)]
            if inputs[0].dtype == tf.int32:  # the shape of the output
                values[0] = tf.concat([[parts[0].shape[0]], inputs[0][1:]], axis=0)
            return _by_tape(self.operation, self.position, values, 0, parts[0])

        spec = tf.TensorSpec(self.source.shape, self.source.dtype)
        return tf.map_fn(one, tensors, fn_output_signature=spec)


def by_point(tensor, labels, count):
    """The entries along the first axis by point, `(n, m, ...)`."""
    order = _order(labels, count)
    if not np.array_equal(order, np.arange(len(order))):
        tensor = tf.gather(tensor, order)
    return tf.reshape(tensor, (count, len(order) // count, *tensor.shape[1:]))


def _order(labels, count):
    """The order that brings entries of each point together; `None` if they are not as many."""
    labels = labels.ravel()
    order = np.argsort(labels, kind="stable")
    several = len(labels) // count
    expected = np.repeat(np.arange(1, count + 1), several)
    return order if np.array_equal(labels[order], expected) else None


def _gradient(operation, position, value, gradient, which=0):
    """The gradient of an operation, issued again with another input, with respect to it."""
    inputs = list(operation.inputs)
    inputs[position] = value
    (found,) = tf.gradients(emit(operation, inputs)[which], value, grad_ys=gradient)
    return tf.zeros_like(value) if found is None else tf.convert_to_tensor(found)


def _by_tape(operation, position, inputs, which, gradient):
    source = tf.convert_to_tensor(inputs[position])
    with tf.GradientTape() as tape:
        tape.watch(source)
        output = emit(operation, [*inputs[:position], source, *inputs[position + 1 :]])[which]
    found = tape.gradient(output, source, output_gradients=gradient)
    return tf.zeros_like(source) if found is None else tf.convert_to_tensor(found)


# Before it meets the points ----------------------------------------------------------------


def pass_on(operation, sums):
    """From the outputs of an operation on parameters to its inputs.

    Args:
        operation: the operation.
        sums: dict from the names of tensors that depend on parameters to their `Sum`.
    """
    for which, output in enumerate(operation.outputs):
        found = sums.get(output.name)
        for position, source in enumerate(operation.inputs):
            if source.name not in sums or found is None:
                continue
            if facts_of(operation).is_reshaping and position != which:
                continue
            if facts_of(operation).is_reshaping:
                sums[source.name].add_all(found)
            elif (matrix := found.matrix()) is not None:
                gradient = tf.reshape(matrix, (found.count, *output.shape))
                sums[source.name].add(_through(operation, position, which, gradient))


def _through(operation, position, which, gradient):
    """From gradients `(n, *output.shape)` to `(n, *input.shape)`."""
    source, output = operation.inputs[position], operation.outputs[which]
    count = gradient.shape[0]
    if operation.type == "Transpose" and (order := static(operation.inputs[1])) is not None:
        inverse = [order.tolist().index(axis) + 1 for axis in range(len(order))]
        return tf.transpose(gradient, [0, *inverse])
    facts = facts_of(operation)
    if facts.along == () and facts.meets == "copies":
        shape = [1] * (output.shape.rank - source.shape.rank) + list(source.shape)
        copies = tf.broadcast_to(tf.reshape(source, [1, *shape]), [count, *shape])
        return _gradient(operation, position, copies, gradient)
    if output.shape.num_elements() == 1:
        one = tf.ones_like(output)
        derivative = _gradient(operation, position, tf.identity(source), one, which)
        return tf.reshape(gradient, (-1, 1)) * tf.reshape(derivative, (1, -1))

    def one_point(part):
        return _by_tape(operation, position, list(operation.inputs), which, part)

    spec = tf.TensorSpec(source.shape, source.dtype)
    return tf.map_fn(one_point, gradient, fn_output_signature=spec)


def can_be_issued_again(operation):
    """Whether `pass_on` is right for an operation: no function inside, all shapes known."""
    if has_functions(operation):
        return False
    tensors = (*operation.inputs, *operation.outputs)
    if any(tensor.dtype in (tf.resource, tf.variant) for tensor in tensors):
        return False
    return all(t.shape.is_fully_defined() for t in tensors if t.dtype.is_floating)
