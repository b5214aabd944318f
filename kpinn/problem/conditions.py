"""Conditions and derived fields, as a problem has them."""

import dataclasses
from collections.abc import Callable

from kpinn.derivatives.graphs.python_calls import named
from kpinn.problem.arguments import Array, Quantity, order


@dataclasses.dataclass(frozen=True, eq=False)
class Function:
    """A condition or a derived field of a problem.

    Attributes:
        name: its name.
        function: a callable that takes its arguments by name.
        arguments: tuple of what its arguments are, see `kpinn.problem.arguments`.
        method: of a condition, what `kpinn.derivatives.api.resolve` returned.
        size: of a derived field, its number of components.
        over_set: whether it is a condition on all points of a set at once, with one residual.
    """

    name: str
    function: Callable
    arguments: tuple
    method: object = None
    size: int = 1
    over_set: bool = False

    def __call__(self, values):
        """Calls it with its arguments from a dict of values."""
        names = [argument.name for argument in self.arguments]
        with named(self.label):
            return self.function(**{name: values[name] for name in names})

    @property
    def label(self):
        """What it is called in errors."""
        return f"{'field' if self.method is None else 'condition'} {self.name!r}"

    @property
    def arrays(self):
        """Those of its arguments that come with the points."""
        return tuple(a for a in self.arguments if isinstance(a, Array))

    def order(self, derived):
        """The highest order of the derivatives of network fields that it asks for.

        Args:
            derived: dict from name to `Function`, the derived fields.
        """
        highest = 0
        for argument in self.arguments:
            if isinstance(argument, Quantity | Array) and argument.request is not None:
                inner = derived.get(argument.request.field)
                below = inner.order(derived) if inner else 0
                highest = max(highest, order(argument.request) + below)
        return highest
