"""What can be asked for at a point: fields, derivatives, operators and combinations of them.

Pure Python: a name becomes a `Request`, a `Request` a list of partial derivatives. A partial
derivative is a sorted tuple of *axes*; an axis is the column of a coordinate (`int`) or the name
of a direction whose vectors come with the points (`str`).
"""

import dataclasses
import numbers

from kpinn.derivatives.names.operators import operator_partials, operator_shape


@dataclasses.dataclass(frozen=True)
class Request:
    """One requested quantity: a field, a derivative of it, or an operator on it.

    Attributes:
        name: the name it was asked for by, `"u_xx"`.
        field: the field, `"u"`.
        operator: `None` for a field or a partial derivative, one of `OPERATORS`, or
            `"combination"`.
        axes: for a partial derivative the axes, sorted; `()` for the field itself.
        terms: for a combination the pairs of a factor, a number or a `Factor`, and a `Request`.
    """

    name: str
    field: str
    operator: str | None = None
    axes: tuple = ()
    terms: tuple = ()

    def shape(self, space):
        """Shape of its value without the number of points."""
        size = space.size(self.field)
        if self.operator in (None, "combination"):
            return (size,)
        return operator_shape(self.operator, size, len(space.spatial))

    @property
    def factors(self):
        """The factors of its terms that are no numbers."""
        return [factor for factor, _ in self.terms if not isinstance(factor, numbers.Real)]

    @property
    def directions(self):
        """Names of the directions that it needs."""
        inner = [axis for _, request in self.terms for axis in request.directions]
        return tuple(dict.fromkeys(inner + [a for a in self.axes if isinstance(a, str)]))


def partials(request, space):
    """The partial derivatives that a request is made of, as pairs `(column, axes)`."""
    if request.terms:
        return [key for _, term in request.terms for key in partials(term, space)]
    if request.operator is not None:
        return operator_partials(request.operator, request.field, space)
    columns = space.fields[request.field]
    return [(column, request.axes) for column in range(columns.start, columns.stop)]


def axis_order(axis):
    """The key by which axes are sorted: columns first, then directions."""
    return (isinstance(axis, str), axis)


def size_of(columns):
    """Number of columns of a slice."""
    return columns.stop - columns.start
