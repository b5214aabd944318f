"""Which point each entry of a tensor belongs to, and how operations carry that on.

Labels are an array that broadcasts to the shape of a tensor, as small as it can be: `i + 1` for an
entry that depends on the row of point `i` only, and zero for one that depends on none. A rule
gives the labels of an operation's outputs from those of its inputs, a dict by position. It raises
`MixedError` where an entry would belong to several points, `UnknownError` where that is not known.
"""

import contextlib

import numpy as np
import tensorflow as tf

from kpinn.derivatives.graphs.emission import emit, has_functions


class MixedError(Exception):
    """Points that influence each other, as far as can be known."""

    operation = None  # that mixes them, a `tf.Operation`


class UnknownError(MixedError):
    """An operation of which it is not known which points its outputs depend on."""


def labels_of_points(count, rank):
    """Labels of a tensor with one row for each point."""
    return np.arange(1, count + 1).reshape([-1] + [1] * (rank - 1))


def static(tensor):
    """The value of a tensor that is known when the graph is built, else `None`."""
    value, operation = tf.get_static_value(tensor), tensor.op
    if value is not None or tensor.dtype.is_floating or not operation.inputs:
        return value
    if operation.op_def.is_stateful or has_functions(operation):
        return None
    inputs = [static(each) for each in operation.inputs]
    if any(each is None for each in inputs):
        return None
    with contextlib.suppress(UnknownError):
        return run_on_arrays(operation, inputs)[tensor.value_index]
    return None


def run_on_arrays(operation, arrays):
    """The outputs of an operation on other inputs, at once."""
    try:
        with tf.init_scope():
            return [each.numpy() for each in emit(operation, list(map(tf.constant, arrays)))]
    except (TypeError, ValueError, tf.errors.OpError) as error:
        raise UnknownError("has inputs that cannot be replaced") from error


# Axes along which entries are taken together ----------------------------------------------------
#
# An operation takes the entries of an input together along some axes; along the others an entry
# of an output depends on the entries at the same place, with broadcasting. These axes are a number
# or a tuple for all inputs (`-1` for a softmax, `()` for a function of each element), or a function
# from the operation to a list with a tuple for each input, `None` where that is not known.


def axes_of(along, operation):
    """The axes along which an operation takes entries together: a list with a set per input."""
    found = along(operation) if callable(along) else [along] * len(operation.inputs)
    pairs = zip(found, operation.inputs, strict=True)
    return [_positive(axes, tensor.shape.rank) for axes, tensor in pairs]


def _positive(axes, rank):
    if axes is None or rank is None:
        return None
    found = {int(axis) + (rank if axis < 0 else 0) for axis in np.ravel(axes)}
    return {axis for axis in found if axis >= 0}  # a scalar has no last axis


def given_by(position, source=0):
    """Axes that an input gives, which are those of the input `source`."""

    def along(operation):
        found = [None] * len(operation.inputs)
        axes = static(operation.inputs[position])
        found[source] = None if axes is None else tuple(np.ravel(axes))
        return found

    return along


def by_sample(*positions):
    """All axes but the first, of the inputs at some positions, as convolutions have it."""

    def along(operation):
        pairs = enumerate(operation.inputs)
        return [
            tuple(range(1, t.shape.rank)) if i in positions and t.shape.rank else None
            for i, t in pairs
        ]

    return along


def every_axis(operation):
    """All axes."""
    return [tuple(range(tensor.shape.rank or 0)) for tensor in operation.inputs]


def of_matrix_product(operation):
    """The axis over which a product of matrices sums."""
    first, second = _turned(operation)
    return [-2 if first else -1, -1 if second else -2]


def _turned(operation):
    """Whether the factors of a product of matrices are transposed."""
    names = ("adj_x", "adj_y") if operation.type.startswith("Batch") else ("a", "b")
    return [operation.get_attr(n if "adj" in n else f"transpose_{n}") for n in names]


def of_einsum(operation):
    """The axes over which an `Einsum` sums; of those behind an ellipsis nothing is known."""
    factors, _, result = operation.get_attr("equation").decode().replace(" ", "").partition("->")
    terms = [factor.partition("...")[0] for factor in factors.split(",")]
    return [tuple(i for i, each in enumerate(t) if each not in result) for t in terms]


# Arrays of labels -------------------------------------------------------------------------------


def compact(labels):
    """The labels of one entry along each axis where all entries that have one have the same."""
    for axis in range(labels.ndim):
        with contextlib.suppress(MixedError):
            labels = _join(labels, (axis,))
    return labels


def combine(labels):
    """Entries that are computed from the entries of several tensors at the same place."""
    total = labels[0]
    for each in labels[1:]:
        if np.any((total != each) & (total != 0) & (each != 0)):
            raise MixedError
        total = np.maximum(total, each)
    return total


def _join(labels, axes):
    """Entries that are computed from all entries along some axes, which remain with size one."""
    axes = tuple(axis for axis in axes if labels.shape[axis] > 1)
    if not axes:
        return labels
    highest = labels.max(axis=axes, keepdims=True)
    if np.any((labels != highest) & (labels != 0)):
        raise MixedError
    return highest


def _with_rank(labels, rank):
    return labels.reshape([1] * (rank - labels.ndim) + list(labels.shape))


# Rules ------------------------------------------------------------------------------------------


def elementwise(operation, labels):
    """An operation on each element, with broadcasting."""
    rank = operation.outputs[0].shape.rank
    found = combine([_with_rank(each, rank) for each in labels.values()])
    return [found] * len(operation.outputs)


def joined(along):
    """The rule of operations that take entries together along axes, which stay or go."""
    if along == ():
        return elementwise

    def rule(operation, labels):
        axes = axes_of(along, operation)
        if any(axes[i] is None for i in labels):
            raise UnknownError
        parts = {i: _join(each, axes[i]) for i, each in labels.items()}
        return [_placed(tensor, operation, parts, axes) for tensor in operation.outputs]

    return rule


def _placed(output, operation, parts, axes):
    """The labels of one output from those of the inputs, of which axes were joined."""
    rank, found = output.shape.rank, []
    for i, part in parts.items():
        if operation.inputs[i].shape.rank - len(axes[i]) >= rank:
            part = part.squeeze(tuple(axes[i]))
        found.append(part)
    return combine([_with_rank(part, rank) for part in found])


def moved(operation, labels):
    """An operation that copies entries to other places, which is run on the labels."""
    inputs = []
    for i, tensor in enumerate(operation.inputs):
        if i in labels:
            inputs.append(np.broadcast_to(labels[i], tensor.shape).astype(float))
        elif tensor.dtype.is_floating:
            inputs.append(np.zeros(_known_shape(tensor)))
        else:
            inputs.append(_known(static(tensor)))
    return [output.astype(int) for output in run_on_arrays(operation, inputs)]


def looked_up(operation, labels):
    """A `GatherV2`: of a table without points, an entry depends on what its place does."""
    if set(labels) != {1} or operation.get_attr("batch_dims"):
        return moved(operation, labels)
    rank = operation.inputs[0].shape.rank
    axis = int(_known(static(operation.inputs[2]))) % rank
    return [labels[1].reshape([1] * axis + list(labels[1].shape) + [1] * (rank - axis - 1))]


def searched(operation):
    """The axes of a search in sorted rows: of these all entries are looked at."""
    return [-1, ()]


def _known(value):
    if value is None:
        raise UnknownError
    return value


def _known_shape(tensor):
    return tensor.shape if tensor.shape.is_fully_defined() else _known(None)


def matrix_product(operation, labels):
    """The last two axes of a product of matrices."""
    axes, turned, found = of_matrix_product(operation), _turned(operation), []
    for i, each in labels.items():
        part = _join(each, (axes[i],))
        found.append(np.swapaxes(part, -1, -2) if turned[i] else part)
    rank = operation.outputs[0].shape.rank
    return [combine([_with_rank(each, rank) for each in found])]


def einsum_terms(operation):
    """The letters of the inputs and of the output.

    Raises:
        UnknownError: for an ellipsis or a letter that is repeated within an input.
    """
    inputs, output = operation.get_attr("equation").decode().replace(" ", "").split("->")
    inputs = inputs.split(",")
    if "." in output or any(len(set(letters)) < len(letters) for letters in inputs):
        raise UnknownError
    return inputs, output


def einsum(operation, labels):
    """An `Einsum` without ellipsis."""
    inputs, output = einsum_terms(operation)
    found = []
    for i, each in labels.items():
        letters = inputs[i]
        gone = [axis for axis, letter in enumerate(letters) if letter not in output]
        part = _join(each, gone).squeeze(tuple(gone))
        kept = [letter for letter in letters if letter in output]
        order = sorted(range(len(kept)), key=lambda k: output.index(kept[k]))
        sizes = dict(zip(kept, part.shape, strict=True))
        found.append(part.transpose(order).reshape([sizes.get(letter, 1) for letter in output]))
    return [combine(found)]


def of_first_input(operation, labels):
    """An operation of which all but the first input are weights, such as `BiasAdd`."""
    if set(labels) != {0}:
        raise UnknownError
    return [labels[0]]


def one_by_one(operation, labels):
    """An operation that returns its inputs."""
    none = np.zeros(1, int)
    ranks = [tensor.shape.rank for tensor in operation.outputs]
    return [labels.get(i, none.reshape([1] * rank)) for i, rank in enumerate(ranks)]


def unaffected(operation, labels):
    """Outputs that do not change with the values of the inputs, such as their shape."""
    return [np.zeros([1] * tensor.shape.rank, int) for tensor in operation.outputs]


def probed(operation, labels):
    """An operation that is linear in its inputs with points, or in each of two of them.

    It is issued on random numbers. Where an entry depends on one point `p` only, its derivative
    along a direction that is weighted by a function `w` of the points is `w(p)` times that along
    the direction itself. That is sought with `w(p) = p`, and must hold for random `w` too.
    """
    if not all(tensor.dtype.is_floating for tensor in operation.outputs):
        raise UnknownError
    rng, count = np.random.default_rng(0), max(int(each.max()) for each in labels.values())
    full = {i: np.broadcast_to(each, operation.inputs[i].shape) for i, each in labels.items()}
    place = [_random(rng, tensor, i in full) for i, tensor in enumerate(operation.inputs)]
    steps = {i: rng.uniform(0.5, 1.5, each.shape) * (each > 0) for i, each in full.items()}

    def along(weights):
        sides = []
        for sign in (1.0, -1.0):
            inputs = list(place)
            for i, each in full.items():
                inputs[i] = place[i] + sign * steps[i] * weights[each]
            sides.append(run_on_arrays(operation, inputs))
        return [ahead - behind for ahead, behind in zip(*sides, strict=True)]

    numbers, others = np.arange(count + 1.0), rng.uniform(1.0, 2.0, count + 1)
    found = []
    for plain, first, second in zip(*map(along, (0 * numbers + 1, numbers, others)), strict=True):
        none = (plain == 0) & (first == 0)
        ratio = np.divide(first, plain, where=plain != 0, out=np.zeros_like(plain))
        guess = np.clip(np.rint(ratio), 0, count).astype(int)
        rounding = 1e-15 * np.max(np.abs(plain), initial=0.0)
        wrong = np.abs(second - others[guess] * plain) > 1e-9 * np.abs(plain) + rounding
        if np.any(~none & (wrong | (guess == 0))):
            raise MixedError
        found.append(np.where(none, 0, guess))
    return found


def _random(rng, tensor, has_points):
    """What an input is replaced by: itself if it is known, else random numbers."""
    value = None if has_points else static(tensor)
    if value is None and tensor.dtype.is_floating:
        return rng.uniform(0.5, 1.5, _known_shape(tensor))
    value = _known(value)
    return value.astype(float) if tensor.dtype.is_floating else value
