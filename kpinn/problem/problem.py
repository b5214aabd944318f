"""A problem: the names of a PINN, and their values and residuals at points."""

import dataclasses
import keyword
import re
from collections.abc import Callable

import tensorflow as tf

from kpinn.derivatives.api import directions_of, evaluate, join_points, resolve
from kpinn.derivatives.context import Context
from kpinn.derivatives.declarations import like
from kpinn.derivatives.errors import refuse_complex
from kpinn.options import argument_names, shown
from kpinn.problem import misspelt, residuals, together
from kpinn.problem.arguments import Array, Coordinate, Names, Quantity, Unknown, order
from kpinn.problem.conditions import Function
from kpinn.problem.marks import name_of, option

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is to be solved, made once: it is never changed, only replaced.

    It knows no Keras model and no training. Its functions are pure functions of tensors, but for
    the variables that the network and the conditions read.

    Attributes:
        network: a function `(n, d) -> (n, m)`.
        conditions: dict from name to `Function`.
        derived: dict from name to `Function`, the derived fields.
        unknowns: dict from name to variable.
        dtype: in which it computes.
        epsilon: machine epsilon of the least precise dtype in the network.
        scales: dict from coordinate to half its range, for finite differences.
        names: the `Names`.
    """

    network: Callable
    conditions: dict
    derived: dict
    unknowns: dict
    dtype: tf.DType
    epsilon: float
    scales: dict
    names: Names

    @classmethod
    def of(cls, network, space, conditions, derived, method, **rest):
        """The problem of functions as a user writes them.

        Args:
            network: a function `(n, d) -> (n, m)`.
            space: the `Space` of its coordinates, parameters and fields.
            conditions: list of callables.
            derived: list of callables.
            method: how derivatives are computed where a condition does not say it.
            **rest: `unknowns`, `dtype`, `epsilon` and `scales`.

        Raises:
            ValueError: for functions without a name, or arguments without one; see `check` too.
        """
        sizes = {name_of(f, "field"): option(f) or 1 for f in derived}
        names = Names(space, sizes, rest["unknowns"])
        found = [_function(f, "condition", names, resolve(option(f) or method)) for f in conditions]
        _check_different([function.name for function in found])
        return cls(
            network,
            {function.name: function for function in found},
            {name: _function(f, "field", names) for name, f in zip(sizes, derived, strict=True)},
            names=names,
            **rest,
        )

    def replaced(self, **changes):
        """The same problem with other unknowns, scales, network or dtype."""
        names = self.names
        if "unknowns" in changes:
            sizes = {name: function.size for name, function in self.derived.items()}
            names = Names(names.network, sizes, changes["unknowns"])

        def resolved(functions):
            return {
                name: dataclasses.replace(
                    function, arguments=tuple(names.argument(a.name) for a in function.arguments)
                )
                for name, function in functions.items()
            }

        parts = {"conditions": resolved(self.conditions), "derived": resolved(self.derived)}
        return dataclasses.replace(self, names=names, **parts, **changes)

    @property
    def space(self):
        """The `Space` of all fields."""
        return self.names.space

    # Checks ----------------------------------------------------------------------------------

    def check(self):
        """Raises `ValueError` for names without meaning, and derived fields that go in a circle."""
        for kind, functions in (("field", self.derived), ("condition", self.conditions)):
            for name, function in functions.items():
                for argument in function.arrays:
                    try:
                        misspelt.refuse_typing_error(self.names, argument.name)
                    except ValueError as error:
                        raise ValueError(f"{kind} {name!r}: {error}") from None
                    if kind == "field":
                        raise ValueError(
                            f"field {name!r} asks for {argument.name!r}, which is no coordinate, "
                            "field, derivative or unknown. A derived field is a function of the "
                            f"coordinates. There are {self.names.describe()}."
                        )
        for name in self.derived:
            self._visit(name, ())

    def _visit(self, name, trail):
        if name in trail:
            raise ValueError(
                f"derived fields depend on each other in a circle: {' -> '.join((*trail, name))}."
            )
        for argument in self.derived[name].arguments:
            if isinstance(argument, Quantity) and argument.derived:
                self._visit(argument.request.field, (*trail, name))

    def check_new_unknown(self, name):
        """Raises `ValueError` for a name that means something already."""
        if not isinstance(name, str) or not _NAME.match(name) or keyword.iskeyword(name):
            raise ValueError(
                f"unknown {shown(name)}: its name is that of an argument of a condition, such as "
                "'viscosity', of letters and digits."
            )
        self.space.check_new_name(name)
        if name in self.unknowns or name in self.conditions or name == "loss":
            raise ValueError(f"unknown {name!r}: the name is taken.")

    def arguments_at(self, function, widths):
        """What the arguments of a condition are at points with arrays of these widths.

        Args:
            function: a condition.
            widths: dict from the name of an array to its number of columns.

        Returns:
            A tuple; an `Array` in it is an array of the points.

        Raises:
            ValueError: if the points lack one.
        """
        found = []
        for argument in function.arguments:
            try:
                found.append(self.names.at(argument, widths))
            except ValueError:
                message = misspelt.missing(self.names, argument, widths)
                raise ValueError(f"condition {function.name!r} {message}") from None
        return tuple(found)

    def takes_together(self, name, widths):
        """Whether a condition takes its points together, see `kpinn.problem.together`.

        Args:
            name: name of the condition.
            widths: dict from the arrays of its points to their numbers of columns.
        """
        function = self.conditions[name]
        arguments = self.arguments_at(function, widths)
        shapes = {a.name: self.names.shape(a, widths) for a in arguments}
        return together.takes_together(function, shapes, self.dtype)

    # Values ----------------------------------------------------------------------------------

    def values(self, arguments, arrays, method, combinations=(), step=0):
        """Values at points.

        Args:
            arguments: what is wanted, of `arguments_at`.
            arrays: dict from name to tensor: the coordinates `(n, k)` and whatever else comes
                with the points.
            method: what `kpinn.derivatives.api.resolve` returned.
            combinations: further `Request`s on the network's fields.
            step: number of the training step, on which random directions depend.

        Returns:
            A dict from name to tensor.
        """
        points = join_points(arrays, self.space)
        return _Evaluation(self, points, arrays, method, step).values(arguments, combinations)

    def quantities(self, names, widths):
        """The `Quantity` of each name at points with arrays of these widths."""
        return tuple(self.names.quantity(name, widths) for name in names)

    def residuals(self, points, step=0):
        """Residuals of conditions.

        Args:
            points: dict from condition to a dict of tensors `(n, k)`; or one dict of tensors for
                all conditions.
            step: see `values`.

        Returns:
            A dict from condition to tensor `(n, k)`.
        """
        return residuals.on_sets(self, points, step)

    def residuals_at(self, names, arrays, step=0):
        """Residuals of the named conditions on one set of points.

        Conditions with the same method share one evaluation of the derivatives.

        Args:
            names: names of conditions.
            arrays: dict from name to tensor `(n, k)` or `(n,)`.
            step: see `values`.

        Returns:
            A dict from condition to tensor `(n, k)`.
        """
        return residuals.on_set(self, names, arrays, step)


def _function(function, kind, names, method=None):
    name = name_of(function, kind)
    asked = argument_names(function, f"{kind} {name!r}", "(self, u, u_x)")
    arguments = tuple(map(names.argument, asked))
    size = (option(function) or 1) if kind == "field" else 1
    return Function(name, function, arguments, method, size)


def _check_different(names):
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or "loss" in names:
        raise ValueError(
            f"{repeated or 'loss'} cannot name a condition: each needs a name of its own for the "
            "logs, and 'loss' is their sum."
        )


@dataclasses.dataclass(frozen=True)
class _Evaluation:
    """The values of a problem at one set of points.

    Attributes:
        problem: the `Problem`.
        points: tensor `(n, d)`.
        arrays: dict from name to tensor.
        method: how derivatives are computed.
        step: number of the training step.
        outer_order: order of the derivatives that are taken of what is evaluated here.
    """

    problem: Problem
    points: tf.Tensor
    arrays: dict
    method: object
    step: object
    outer_order: int = 0

    def values(self, arguments, combinations=()):
        """A dict from name to tensor."""
        values, requests = {}, {None: list(combinations)} if combinations else {}
        for argument in dict.fromkeys(arguments):
            if isinstance(argument, Coordinate):
                values[argument.name] = self.points[:, argument.columns]
            elif isinstance(argument, Unknown):
                values[argument.name] = tf.convert_to_tensor(self.problem.unknowns[argument.name])
            elif isinstance(argument, Array):
                values[argument.name] = self.arrays[argument.name]
            else:
                source = argument.request.field if argument.derived else None
                requests.setdefault(source, []).append(argument.request)
        directions = directions_of(self.arrays, self.problem.space) if requests else {}
        for source, asked in requests.items():
            values.update(self._of(source, asked, directions))
        return values

    def _of(self, source, requests, directions):
        """Requests on the network's fields (`source` is `None`) or on one derived field."""
        problem = self.problem
        if source is None:
            space, function, inner = problem.names.network, problem.network, 0
        else:
            space = problem.names.derived[source]
            inner = problem.derived[source].order(problem.derived)
            function = self._as_function(source, max(map(order, requests)))
        outer = self.outer_order + inner
        context = Context(space, problem.epsilon, problem.scales, outer, self.step)
        return evaluate(function, self.points, requests, directions, self.method, context)

    def _as_function(self, source, taken):
        """A derived field, of which derivatives are taken, as a function of points `(n, d)`."""
        derived, outer_order = self.problem.derived[source], self.outer_order + taken
        method = self.method
        if method == "forward" and outer_order:
            method = "reverse"  # never one forward accumulator in another

        def function(points):
            inner = _Evaluation(self.problem, points, {}, method, self.step, outer_order)
            outputs = tf.convert_to_tensor(derived(inner.values(derived.arguments)))
            refuse_complex(outputs.dtype, f"the derived field {source!r}", "two fields")
            return outputs if outputs.shape.rank == 2 else tf.reshape(outputs, (-1, derived.size))

        function.origin = derived
        return like(function, self.problem.network)
