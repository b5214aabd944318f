"""The coordinates and the fields of a function, by name."""

import itertools

from kpinn.derivatives.names.declarations import check_names, check_new_name, declare
from kpinn.derivatives.names.requests import size_of

TIME_NAMES = ("t", "time")


class Space:
    """The coordinates (columns of the input) and the fields (columns of the output).

    Args:
        coordinates: `"t x"`, or `"t x[3]"` with a vector-valued coordinate.
        fields: `"u p"`, or `"v[2] p"` with a vector field.

    Raises:
        ValueError: for names that cannot be told apart.
    """

    def __init__(self, coordinates, fields):
        self.coordinates = declare(coordinates, "coordinate")
        self.fields = declare(fields, "field")
        self.spatial = tuple(
            itertools.chain.from_iterable(
                range(columns.start, columns.stop)
                for name, columns in self.coordinates.items()
                if name not in TIME_NAMES
            )
        )
        check_names(self)

    def check_new_name(self, name):
        """Raises `ValueError` if `name` already means something in this space."""
        check_new_name(name, self)

    @property
    def input_size(self):
        """Number of columns of the coordinates."""
        return sum(map(size_of, self.coordinates.values()))

    @property
    def output_size(self):
        """Number of columns of the fields."""
        return sum(map(size_of, self.fields.values()))

    def size(self, field):
        """Number of components of `field`."""
        return size_of(self.fields[field])

    def check_output(self, shape, points_shape):
        """Raises `ValueError` for a function whose output has not one column per component."""
        if shape.rank != 2 or shape[1] != self.output_size:
            raise ValueError(
                f"the function returned the shape {tuple(shape)} for points of shape "
                f"{tuple(points_shape)}: expected (n, {self.output_size}), one column per "
                f"component of the fields. There are {self.describe()}."
            )

    def describe(self):
        """A sentence that lists the names, for error messages."""

        def listed(columns):
            return ", ".join(
                name if size_of(part) == 1 else f"{name}[{size_of(part)}]"
                for name, part in columns.items()
            )

        return f"coordinates: {listed(self.coordinates)}; fields: {listed(self.fields)}"
