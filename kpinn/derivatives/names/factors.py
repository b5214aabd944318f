"""What the terms of a combination are multiplied with where that is no number."""

import dataclasses
import numbers

import tensorflow as tf

from kpinn.derivatives.errors import refuse_complex


@dataclasses.dataclass(frozen=True, eq=False)
class Factor:
    """What a term is multiplied with where that is no number: `number` times `value`.

    Attributes:
        name: hashable; factors of the same name have the same value.
        value: a tensor, a scalar or `(n, 1)`; `None` where only a plan is made.
        number: a number.
    """

    name: object
    value: object = None
    number: float = 1.0

    def __mul__(self, other):
        """Times a number, a `Factor`; times a tensor, a tensor."""
        if isinstance(other, numbers.Real):
            return dataclasses.replace(self, number=self.number * other)
        product = self.value * other
        return product if self.number == 1.0 else self.number * product


def with_tensors(request, points):
    """A combination with a tensor for each `Factor`, a scalar or `(n, 1)`.

    Raises:
        ValueError: for a factor of another shape.
    """

    def filled(factor):
        is_number = isinstance(factor, numbers.Real)
        return factor if is_number else _with_tensor(request, factor, points)

    terms = tuple((filled(factor), term) for factor, term in request.terms)
    return dataclasses.replace(request, terms=terms)


def _with_tensor(request, factor, points):
    value = tf.convert_to_tensor(factor.value)
    refuse_complex(value.dtype, f"a factor of {request.name!r}", "two requests")
    value = tf.cast(value, points.dtype)
    count, shape = points.shape[0], value.shape
    if shape.rank in (0, 1, 2) and shape.num_elements() == 1:
        return dataclasses.replace(factor, value=tf.reshape(value, ()))
    fits = shape.rank in (1, 2) and (shape.rank == 1 or shape[1] == 1)
    if not fits or None not in (count, shape[0]) and count != shape[0]:
        raise ValueError(
            f"{request.name!r} has a factor of shape {tuple(shape)}: expected one value, or one "
            f"for each point, {(count or 'n', 1)}."
        )
    return dataclasses.replace(factor, value=tf.reshape(value, (-1, 1)))
