"""From the names of a condition's arguments to the values it is called with."""

import difflib

import tensorflow as tf

from kpinn.derivatives.api import (
    directions_of,
    epsilon,
    evaluate,
    inference,
    input_dtype,
    join_points,
)
from kpinn.derivatives.context import Context
from kpinn.derivatives.methods.stochastic import Stochastic
from kpinn.derivatives.requests import OPERATORS, Space, declare, parse
from kpinn.options import argument_names


def condition(function=None, *, method=None):
    """Marks a method of a `kpinn.PINN` (or a function) as a condition: it returns residuals.

    The names of its arguments say what it is called with: a coordinate (`x`), a field (`u`), a
    derivative (`u_xx`), an operator (`laplacian_u`), an unknown, or an array of the same points.

    Args:
        function: takes tensors `(n, 1)` and returns residuals `(n, 1)` or `(n, k)`.
        method: how its derivatives are computed; by default as the model's `method` says.

    Example:

        @kpinn.condition
        def heat(self, u_t, u_xx):
            return u_t - u_xx
    """
    return _mark(function, "condition", method)


def field(function=None, *, size=1):
    """Marks a method of a `kpinn.PINN` as a derived field, a function of the coordinates.

    Conditions and other derived fields may ask for it and for its derivatives.

    Args:
        function: takes what a condition takes, but no arrays that come with points.
        size: its number of components.

    Example:

        @kpinn.field
        def flux(self, x, u_x):
            return (1.0 + x) * u_x
    """
    return _mark(function, "field", size)


def _mark(function, kind, option):
    def mark(function):
        function._kpinn_kind, function._kpinn_option = kind, option
        return function

    return mark if function is None else mark(function)


def marked(cls, kind):
    """Names of the methods of `cls` that are marked, those of base classes first."""
    names = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if getattr(value, "_kpinn_kind", None) == kind:
                names[name] = None
            else:
                names.pop(name, None)
    return list(names)


class Function:
    """A condition or derived field: a callable and the names of its arguments.

    Attributes:
        name: its name.
        option: method of a condition, size of a derived field.
        arguments: names of the arguments without defaults.
        arrays: after `Problem.resolve`, the arguments that must come with the points.
    """

    def __init__(self, function, kind):
        self.name = getattr(function, "__name__", type(function).__name__)
        if self.name == "<lambda>":
            raise ValueError(f"a {kind} needs a name for its loss: use def, not lambda.")
        self.function = function
        self.option = getattr(function, "_kpinn_option", None)
        self.arguments = argument_names(function, f"{kind} {self.name!r}", "(self, u, u_x)")
        self.arrays = ()

    def __call__(self, values):
        """Calls it with its arguments from a dict of values."""
        return self.function(**{name: values[name] for name in self.arguments})


class Problem:
    """The names of a PINN and their values at points.

    Args:
        network: Keras model `(n, d) -> (n, m)`.
        coordinates: names of the coordinates.
        fields: names of the fields, the columns of the network's output.
        derived: list of `Function`, the derived fields.
        unknowns: live dict from name to variable.
        scales: live dict from coordinate to half its range, for finite differences.
    """

    def __init__(self, network, coordinates, fields, derived, unknowns, scales):
        self.step = int  # replaced by what tells the training step
        self.network_space = Space(coordinates, fields)
        self.network = inference(network, self.network_space)
        self.dtype = input_dtype(network, {})
        self.epsilon = epsilon(network, self.dtype)
        self.derived = {function.name: function for function in derived}
        self.unknowns = unknowns
        self.scales = scales
        self.spaces = {
            name: Space(coordinates, f"{name}[{function.option}]")
            for name, function in self.derived.items()
        }
        declared = [f"{f}[{s.stop - s.start}]" for f, s in declare(fields, "field").items()]
        declared += [f"{name}[{f.option}]" for name, f in self.derived.items()]
        self.space = Space(coordinates, declared)

    # Names ---------------------------------------------------------------------------------

    def resolve(self, function, kind):
        """Checks the names of a function's arguments; finds those that must come with points.

        Raises:
            ValueError: for a name that has no meaning.
        """
        arrays = []
        for name in function.arguments:
            try:
                if self._is_open(name):
                    arrays.append(name)
            except ValueError as error:
                raise ValueError(f"{kind} {function.name!r}: {error}") from None
        if arrays and kind == "field":
            raise ValueError(
                f"field {function.name!r} asks for {arrays[0]!r}, which is no coordinate, field, "
                f"derivative or unknown. A derived field is a function of the coordinates. "
                f"There are {self.describe()}."
            )
        function.arrays = tuple(arrays)

    def _is_open(self, name):
        """Whether a name can only be an array, or a direction, that comes with the points."""
        if name in self.space.coordinates or name in self.unknowns:
            return False
        try:
            return bool(parse(name, self.space).directions)
        except ValueError as error:
            self._refuse_typing_error(name, error)
            return True

    def _refuse_typing_error(self, name, error):
        known = [*self.space.coordinates, *self.space.fields, *self.unknowns]
        for field_name in self.space.fields:
            known += [f"{operator}_{field_name}" for operator in OPERATORS]
            known += [f"{field_name}_{coordinate}" for coordinate in self.space.coordinates]
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        prefix, _, suffix = name.partition("_")
        letters = set(suffix.replace("_", ""))
        of_coordinates = suffix in self.space.coordinates or letters <= set(self.space.coordinates)
        begins_with_field = any(name.startswith(f"{f}_") for f in self.space.fields)
        if close or begins_with_field or prefix in OPERATORS or (suffix and of_coordinates):
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{error}{hint} Unknowns: {', '.join(self.unknowns) or 'none'}.")

    def shapes(self, function, arrays):
        """Shapes of a function's arguments without the number of points; `None` for an unknown."""
        return {name: self._shape(name, arrays) for name in function.arguments}

    def _shape(self, name, arrays):
        if name in self.space.coordinates:
            part = self.space.coordinates[name]
            return (part.stop - part.start,)
        if name in self.unknowns:
            return None
        if name in arrays:
            return tuple(arrays[name].shape[1:])
        return parse(name, self.space, directions_of(arrays, self.space)).shape(self.space)

    def describe(self):
        """All names, for error messages."""
        return f"{self.space.describe()}; unknowns: {', '.join(self.unknowns) or 'none'}"

    def check_arrays(self, function, arrays):
        """Raises `ValueError` if points lack what a condition must get from them."""
        directions = directions_of(arrays, self.space)
        for name in function.arrays:
            if name in arrays:
                continue
            try:
                parse(name, self.space, directions)
            except ValueError:
                raise ValueError(
                    f"condition {function.name!r} asks for {name!r}, which is neither known nor "
                    f"an array of its points{self._direction_hint(name)}. Its points have "
                    f"{', '.join(arrays) or 'nothing'}; there are {self.describe()}."
                ) from None

    def _direction_hint(self, name):
        try:
            directions = parse(name, self.space).directions
        except ValueError:
            return ""
        sizes = {len(self.space.spatial), self.space.input_size} - {0}
        shapes = " or ".join(f"(n, {size})" for size in sorted(sizes))
        return f" (nor is {', '.join(directions)!r} a direction of shape {shapes})"

    # Values --------------------------------------------------------------------------------

    def values(self, names, arrays, method, combinations=()):
        """Values of names at points.

        Args:
            names: names of coordinates, fields, derivatives, unknowns or arrays.
            arrays: dict from name to tensor: the coordinates `(n, 1)` and whatever else comes
                with the points.
            method: what `kpinn.derivatives.api.resolve` returned.
            combinations: further `Request`s on the network's fields.

        Returns:
            A dict from name to tensor.
        """
        points = join_points(arrays, self.space)
        return self._values(names, points, arrays, method, 0, combinations)

    def _values(self, names, points, arrays, method, outer_order, combinations=()):
        directions = directions_of(arrays, self.space)
        values, requests = {}, {None: list(combinations)} if combinations else {}
        for name in dict.fromkeys(names):
            if name in self.space.coordinates:
                values[name] = points[:, self.space.coordinates[name]]
            elif name in self.unknowns:
                values[name] = tf.convert_to_tensor(self.unknowns[name])
            elif name in arrays:
                values[name] = arrays[name]
            else:
                request = parse(name, self.space, directions)
                source = request.field if request.field in self.derived else None
                requests.setdefault(source, []).append(request)
        for source, asked in requests.items():
            values.update(self._of(source, asked, points, directions, method, outer_order))
        return values

    def _of(self, source, requests, points, directions, method, outer_order):
        """Requests on the network's fields (`source` is `None`) or on one derived field."""
        if source is None:
            space, function, inner = self.network_space, self.network, 0
        else:
            space, inner = self.spaces[source], self.order(self.derived[source])
            order = max(_order(request) for request in requests)
            function = self._as_function(source, method, outer_order + order)
        step = self.step() if isinstance(method, Stochastic) else 0
        context = Context(space, self.epsilon, self.scales, outer_order + inner, step)
        return evaluate(function, points, requests, directions, method, context)

    def _as_function(self, source, method, outer_order):
        """A derived field as a function of the points `(n, d)`."""
        derived = self.derived[source]
        if method == "forward" and outer_order:
            method = "reverse"  # never one forward accumulator in another

        def function(points):
            values = self._values(derived.arguments, points, {}, method, outer_order)
            outputs = tf.convert_to_tensor(derived(values))
            return outputs if outputs.shape.rank == 2 else tf.reshape(outputs, (-1, derived.option))

        return function

    def order(self, function):
        """The highest order of the derivatives of network fields that a function asks for."""
        orders = [0]
        for request in self._requests(function):
            derived = self.derived.get(request.field)
            orders.append(_order(request) + (self.order(derived) if derived else 0))
        return max(orders)

    def _requests(self, function):
        """The arguments that are fields and derivatives, also along directions."""
        requests = map(self._request, function.arguments)
        return [request for request in requests if request is not None]

    def network_request(self, name):
        """The request of an argument on a field of the network, `None` for anything else."""
        request = self._request(name)
        return None if request is None or request.field in self.derived else request

    def derived_field(self, name):
        """The derived field that an argument is, or is a derivative of; `None` for others."""
        request = self._request(name)
        return request.field if request is not None and request.field in self.derived else None

    def _request(self, name):
        if name in self.space.coordinates or name in self.unknowns:
            return None
        try:
            return parse(name, self.space)
        except ValueError:  # an array that comes with the points
            return None

    def check_fields(self):
        """Raises `ValueError` for derived fields with unknown names, or that need themselves."""
        for name, function in self.derived.items():
            self.resolve(function, "field")
            self._visit(name, ())

    def _visit(self, name, trail):
        if name in trail:
            raise ValueError(
                f"derived fields depend on each other in a circle: {' -> '.join((*trail, name))}."
            )
        for request in self._requests(self.derived[name]):
            if request.field in self.derived:
                self._visit(request.field, (*trail, name))


def _order(request):
    orders = {None: len(request.axes), "laplacian": 2, "hessian": 2, "biharmonic": 4}
    return orders.get(request.operator, 1)


def method_of(function, default):
    """The derivative method of a condition."""
    return default if function.option is None else function.option
