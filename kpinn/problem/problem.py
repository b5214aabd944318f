"""A problem: the names of a PINN, and their values and residuals at points."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from kpinn.derivatives.api import directions_of, evaluate, join_points, resolve
from kpinn.derivatives.context import Context
from kpinn.derivatives.declarations import like
from kpinn.derivatives.errors import refuse_complex
from kpinn.derivatives.methods.finite_difference import FiniteDifference
from kpinn.derivatives.names.space import Space
from kpinn.options import argument_names
from kpinn.problem import elsewhere, misspelt, refusals, residuals, together
from kpinn.problem.arguments import Array, At, Coordinate, Names, Unknown, order
from kpinn.problem.conditions import Function
from kpinn.problem.marks import is_over_set, name_of, option


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """Fields of the network that are computed together.

    Attributes:
        function: a function `(n, d) -> (n, m)`.
        space: the `Space` of its fields.
    """

    function: Callable
    space: Space


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
        parts: tuple of `Part`, which have the fields of the network among them.
    """

    network: Callable
    conditions: dict
    derived: dict
    unknowns: dict
    dtype: tf.DType
    epsilon: float
    scales: dict
    names: Names
    parts: tuple

    @classmethod
    def of(cls, network, space, conditions, derived, method, **rest):
        """The problem of functions as a user writes them.

        Args:
            network: a function `(n, d) -> (n, m)`.
            space: the `Space` of its coordinates, parameters and fields.
            conditions: list of callables.
            derived: list of callables.
            method: how derivatives are computed where a condition does not say it.
            **rest: `unknowns`, `dtype`, `epsilon` and `scales`; `parts` where the network has them.

        Raises:
            ValueError: for functions or arguments without a name; see `refusals.refuse_names`.
        """
        sizes = {name_of(f, "field"): option(f) or 1 for f in derived}
        names = Names(space, sizes, rest["unknowns"])
        found = [_function(f, "condition", names, resolve(option(f) or method)) for f in conditions]
        refusals.refuse_same_names([function.name for function in found])
        return cls(
            network,
            {function.name: function for function in found},
            {name: _function(f, "field", names) for name, f in zip(sizes, derived, strict=True)},
            names=names,
            **{"parts": (Part(network, names.network),)} | rest,
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

        if "network" in changes:
            changes["parts"] = (Part(changes["network"], names.network),)
        functions = {"conditions": resolved(self.conditions), "derived": resolved(self.derived)}
        return dataclasses.replace(self, names=names, **functions, **changes)

    def by_part(self, requests):
        """Pairs of each `Part` that is asked for something and its `Request`s, a list."""
        asked = [(p, [r for r in requests if r.field in p.space.fields]) for p in self.parts]
        return [(part, found) for part, found in asked if found]

    @property
    def space(self):
        """The `Space` of all fields."""
        return self.names.space

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
        if function.over_set:
            return True
        arguments = self.arguments_at(function, widths)
        shapes = {a.name: self.names.shape(a, widths) for a in arguments}
        return together.takes_together(self.stand_in(function, widths), shapes, self.dtype)

    def stand_in(self, function, widths):
        """A `Function` that may be called with a tensor as `at`, see `elsewhere.stand_in`."""
        takes = At() in function.arguments
        return elsewhere.stand_in(self, function, widths) if takes else function

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
    return Function(name, function, arguments, method, size, is_over_set(function))


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
        values, of_network, of_derived = {}, list(combinations), {}
        for argument in dict.fromkeys(arguments):
            if isinstance(argument, Coordinate):
                values[argument.name] = self.points[:, argument.columns]
            elif isinstance(argument, Unknown):
                values[argument.name] = tf.convert_to_tensor(self.problem.unknowns[argument.name])
            elif isinstance(argument, Array):
                values[argument.name] = self.arrays[argument.name]
            elif isinstance(argument, At):
                values[argument.name] = elsewhere.of_evaluation(self)
            elif argument.derived:
                of_derived.setdefault(argument.request.field, []).append(argument.request)
            else:
                of_network.append(argument.request)
        directions = directions_of(self.arrays, self.problem.space)
        for part, asked in self.problem.by_part(of_network):
            values |= self._of(part.function, asked, directions, part.space)
        for field, asked in of_derived.items():
            function = self._as_function(field, max(map(order, asked)))
            inner = self.problem.derived[field].order(self.problem.derived)
            space = self.problem.names.derived[field]
            values |= self._of(function, asked, directions, space, inner)
        return values

    def _of(self, function, requests, directions, space, inner=0):
        """Requests on the fields of a function, which is made of derivatives up to some order."""
        problem = self.problem
        outer = self.outer_order + inner
        context = Context(space, problem.epsilon, problem.scales, outer, self.step)
        return evaluate(function, self.points, requests, directions, self.method, context)

    def _as_function(self, source, taken):
        """A derived field, of which derivatives are taken, as a function of points `(n, d)`."""
        derived, outer_order = self.problem.derived[source], self.outer_order + taken
        method = self.method
        if method == "forward" and outer_order:
            method = "reverse"  # never one forward accumulator in another
        if isinstance(method, FiniteDifference) and At() in derived.arguments:
            raise ValueError(
                f"the derived field {source!r} takes values at other points, and its derivatives "
                "are taken by finite differences, whose steps need to know of which order these "
                "are: use method='taylor'."
            )

        def function(points):
            inner = _Evaluation(self.problem, points, {}, method, self.step, outer_order)
            outputs = tf.convert_to_tensor(derived(inner.values(derived.arguments)))
            refuse_complex(outputs.dtype, f"the derived field {source!r}", "two fields")
            return outputs if outputs.shape.rank == 2 else tf.reshape(outputs, (-1, derived.size))

        function.origin = derived
        return like(function, self.problem.network)
