"""The coordinates, the parameters and the fields of a function, by name."""

import copy
import itertools

from kpinn.derivatives.names.declarations import check_names, check_new_name, declare
from kpinn.derivatives.names.requests import size_of

TIME_NAMES = ("t", "time")


class Space:
    """The coordinates (columns of the input) and the fields (columns of the output).

    Args:
        coordinates: `"t x"`, or `"t x[3]"` with a vector-valued coordinate.
        fields: `"u p"`, or `"v[2] p"` with a vector field.
        parameters: `"mu"`, the columns behind the coordinates that tell the problems of a family
            apart; or `None`.

    Attributes:
        coordinates: dict from name to the slice of its columns, those of parameters too.
        fields: dict from name to the slice of its columns.
        parameters: tuple of names.
        spatial: the columns of space, which are not those of time and of parameters.
        unseen: the columns that the fields do not depend on, so that derivatives are zeros.

    Raises:
        ValueError: for names that cannot be told apart.
    """

    def __init__(self, coordinates, fields, parameters=None):
        self.coordinates, self.parameters = declare(coordinates, "coordinate"), ()
        if parameters is not None:
            found = declare(parameters, "parameter", self.input_size)
            if both := found.keys() & self.coordinates:
                raise ValueError(f"{min(both)!r} is a coordinate, and a parameter too: rename one.")
            self.coordinates |= found
            self.parameters = tuple(found)
        self.fields, self.unseen = declare(fields, "field"), frozenset()
        self.spatial = self._columns_without((*TIME_NAMES, *self.parameters))
        check_names(self)

    def _columns_without(self, names):
        parts = (part for name, part in self.coordinates.items() if name not in names)
        return tuple(itertools.chain.from_iterable(range(p.start, p.stop) for p in parts))

    def with_fields(self, fields):
        """The same coordinates and parameters, with other fields."""
        other = copy.copy(self)
        other.fields = declare(fields, "field")
        check_names(other)
        return other

    def without(self, columns):
        """The same, whose fields do not depend on these columns."""
        other = copy.copy(self)
        other.unseen = frozenset(columns)
        return other

    @property
    def bases(self):
        """The columns that vectors of a direction may be over, by their number.

        Those of space, of all coordinates, or of the parameters too.
        """
        every = self.spatial, self._columns_without(self.parameters), range(self.input_size)
        return {len(columns): tuple(columns) for columns in every if columns}

    def kind(self, name):
        """What a name of this space names."""
        if name in self.fields:
            return "field"
        return "parameter" if name in self.parameters else "coordinate"

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

        kinds = {"coordinate": {}, "parameter": {}, "field": self.fields}
        for name, part in self.coordinates.items():
            kinds[self.kind(name)][name] = part
        return "; ".join(f"{kind}s: {listed(found)}" for kind, found in kinds.items() if found)
