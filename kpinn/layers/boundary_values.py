"""What may hold on a part of a boundary: Neumann's and Robin's conditions, values at the start."""

import dataclasses
from collections.abc import Mapping

import keras
from keras import ops

from kpinn.layers.hard import evaluate, serialized
from kpinn.options.configs import FromConfig


class Condition(FromConfig):
    """A condition of `HardBoundary`, whose arguments are numbers or functions of coordinates."""

    def arguments(self):
        """`{name: number or function}`, as the constructor takes them."""
        return dict(vars(self))

    def get_config(self):
        """The arguments; raises `ValueError` for a function that is not registered."""
        what = type(self).__name__
        return {name: serialized(f"{name} of {what}", v) for name, v in self.arguments().items()}

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Neumann(Condition):
    """The derivative along the outward normal: `u_n = value`.

    Args:
        value: a number, or a function whose arguments are named like coordinates, columns
            `(n, 1)`, and that returns `(n, 1)` or `(n, m)`. `HardBoundary` raises `ValueError` for
            others, as for those of `Robin` and `Initial`.

    Example:

        kpinn.layers.HardBoundary(network, disk, {"rim": Neumann(lambda x: 2 * x)}, "x y")
    """

    inner = ("value",)

    def __init__(self, value=0.0):
        self.value = value


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Robin(Condition):
    """Value and derivative along the outward normal together: `u_n + coefficient u = value`.

    Args:
        coefficient, value: numbers, or functions whose arguments are named like coordinates, as
            that of `Neumann`.

    Example:

        kpinn.layers.HardBoundary(network, disk, {"rim": Robin(1.5, value=0.3)}, "x y")
    """

    inner = ("coefficient", "value")

    def __init__(self, coefficient, value=0.0):
        self.coefficient, self.value = coefficient, value


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Initial(Condition):
    """The value and the rate of change at the start: `u = value` and `u_t = rate`.

    Args:
        value, rate: numbers, or functions whose arguments are named like coordinates, as that of
            `Neumann`.

    Example:

        start = Initial(lambda x: ops.sin(math.pi * x), rate=0.0)
        kpinn.layers.HardBoundary(network, string, {"x": 0.0, "t": start}, "t x")
    """

    inner = ("value", "rate")

    def __init__(self, value, rate):
        self.value, self.rate = value, rate


@dataclasses.dataclass(frozen=True)
class Group:
    """Fields that have the same kinds of conditions on the same parts.

    Attributes:
        fields: `{name: slice}` of the columns of all fields; None if these have no names.
        conditions: `{part: {field: condition}}`, or with the only key None.
    """

    fields: Mapping | None
    conditions: Mapping

    @property
    def values(self):
        """The parts on which values are given."""
        return tuple(part for part in self.conditions if part not in self.fluxes)

    @property
    def fluxes(self):
        """The parts on which derivatives along the normal are given."""
        kinds = {part: next(iter(given.values())) for part, given in self.conditions.items()}
        return tuple(part for part, one in kinds.items() if isinstance(one, Neumann | Robin))

    def order(self, part):
        """2 if a derivative is given on a part, 1 if a value only."""
        return 2 if isinstance(next(iter(self.conditions[part].values())), Condition) else 1

    def alike(self):
        """The parts on which values are given, in groups with the same functions and numbers."""
        found = []
        for part in self.values:
            for parts in found:
                if self.conditions[parts[0]] == self.conditions[part]:
                    parts.append(part)
                    break
            else:
                found.append([part])
        return found

    def evaluated(self, part, what, columns, outputs):
        """An argument of the conditions on a part at points.

        Args:
            part: name.
            what: name of the argument; for a condition without it, zero.
            columns: `{coordinate: (n, 1)}`.
            outputs: of the fields of the group `(n, columns of the group)`.

        Returns:
            A number, `(n, 1)`, or `(n, columns of the group)`.
        """
        found, start = [], 0
        for name, given in self.conditions[part].items():
            if isinstance(given, Condition):
                given = given.arguments().get(what, 0.0)
            width = outputs.shape[1]
            if name is not None:
                width = self.fields[name].stop - self.fields[name].start
            piece = outputs[:, start : start + width]
            start += width
            value = evaluate(f"{what} on {part!r}", given, columns, piece)
            found.append(value if name is None else value + ops.zeros_like(piece))
        return found[0] if len(found) == 1 else ops.concatenate(found, axis=1)


def groups_of(conditions, fields):
    """The `Group`s of fields.

    Args:
        conditions: as `HardBoundary` takes them.
        fields: `{name: slice}`, or None if fields have no names.
    """
    if fields is None:
        return [Group(None, {part: {None: given} for part, given in conditions.items()})]
    groups = {}
    for name in fields:
        own = {}
        for part, given in conditions.items():
            if not isinstance(given, dict) or name in given:
                own[part] = given[name] if isinstance(given, dict) else given
        kinds = tuple((part, _kind(given)) for part, given in own.items())
        groups.setdefault(kinds, {})[name] = own
    return [
        Group(
            {name: fields[name] for name in members},
            {part: {name: own[part] for name, own in members.items()} for part, _ in kinds},
        )
        for kinds, members in groups.items()
    ]


def _kind(given):
    """What tells apart how a condition is imposed."""
    if isinstance(given, Neumann | Robin):
        return "flux"
    return "start" if isinstance(given, Initial) else "value"
