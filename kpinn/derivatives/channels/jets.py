"""Jets: the channels of an `Algebra`, and how they go through sums and linear functions.

A channel is a tensor of the rank of the value, `None` for one that is zero everywhere, or one with
size 1 along axes where the value is longer, if it is the same there: the derivative of a coordinate
is the same row for all points, and so are those of the first dense layer.
"""

import dataclasses

import tensorflow as tf

from kpinn.derivatives.channels.algebra import Algebra


@dataclasses.dataclass(frozen=True, eq=False)
class Jet:
    """A tensor and its derivatives.

    Attributes:
        algebra: the `Algebra` that says what the channels mean.
        channels: tuple of tensors or `None`; the first is the value.
        origin: the jet and the tower of a `compose` that it comes from, from which its channels
            can be computed again; `None` for others.
    """

    algebra: Algebra
    channels: tuple
    origin: tuple | None = None

    @property
    def value(self):
        """The tensor itself."""
        return self.channels[0]

    @property
    def shape(self):
        """Static shape of the value."""
        return self.value.shape

    @property
    def dtype(self):
        """The dtype."""
        return self.value.dtype

    def with_value(self, value):
        """The same derivatives with another first channel."""
        return Jet(self.algebra, (value, *self.channels[1:]))


def value_of(operand):
    """The value of a jet, or the tensor itself."""
    return operand.value if isinstance(operand, Jet) else operand


def channel_of(operand, k):
    """Channel `k` of a jet, or of a tensor, whose derivatives are zero."""
    if isinstance(operand, Jet):
        return operand.channels[k]
    return operand if k == 0 else None


def algebra_of(operands):
    """The algebra of the jets among the operands, `None` if there is no jet."""
    return next((o.algebra for o in operands if isinstance(o, Jet)), None)


def shared_axes(channel, value):
    """Axes along which a channel has size 1 and the value has not."""
    pairs = enumerate(zip(channel.shape, value.shape, strict=True))
    return {axis for axis, (part, whole) in pairs if part == 1 and whole != 1}


def aligned(operands):
    """The operands with the rank of the longest, so that channels broadcast as values do."""
    rank = max(value_of(operand).shape.rank for operand in operands)
    return [_with_rank(operand, rank) for operand in operands]


def _with_rank(operand, rank):
    missing = rank - value_of(operand).shape.rank
    # A number broadcasts as it is. Widened, TensorFlow's optimizer of graphs would push it into a
    # BiasAdd before it, as `BiasAdd([[3.0]], bias)`, which fails.
    if not missing or value_of(operand).shape.rank == 0 and not isinstance(operand, Jet):
        return operand

    def widen(tensor):
        return tensor[(tf.newaxis,) * missing + (...,)]

    return linear(widen, operand) if isinstance(operand, Jet) else widen(operand)


def linear(function, jet):
    """A linear function of one tensor, channel by channel."""
    return Jet(jet.algebra, tuple(None if c is None else function(c) for c in jet.channels))


def add(a, b, combine=tf.add):
    """`a + b`, or `a - b` with `combine=tf.subtract`."""
    algebra = algebra_of((a, b))
    a, b = aligned((a, b))
    pairs = [(channel_of(a, k), channel_of(b, k)) for k in range(len(algebra))]
    return Jet(algebra, tuple(add_channels(x, y, combine) for x, y in pairs))


def add_channels(a, b, combine):
    """`combine(a, b)` of two channels, addition or subtraction; `None` is zero."""
    if b is None:
        return a
    if a is None:
        return -b if combine is tf.subtract else b
    return combine(a, b)
