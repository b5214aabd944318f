"""A network in windows of time, one after the other, of which one is trained at a time."""

import contextlib

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kpinn import derivatives as engine
from kpinn.backend.keras_private import open_for_variables
from kpinn.derivatives.names.space import TIME_NAMES
from kpinn.layers.hard import OverNetwork, evaluate, serialized
from kpinn.options import number, one_of, optional, shown
from kpinn.options.arrays import listed

MOST = 10_000  # windows
MARGIN = 1e-3  # of a window, in which a time beside it is one of it but for rounding
VALUES = "values"


@keras.saving.register_keras_serializable(package="kpinn.layers")
class TimeWindows(OverNetwork):
    """A network with weights of its own in each window of time; `kpinn.march` trains them in turn.

    In the window from `a` to `b`, with the local time `s = (t - a) / (b - a)`, a field is

        (1 - w(s)) start + w(s) network(s, x)

    with `w = s`, or `w = 3 s^2 - 2 s^3` for equations of second order in time. So the values at
    `a`, and the first derivatives by time if `order=2`, are those of `start` whatever the weights
    are, and those at `b` are the network's alone. `start` is the given one in the first window; in
    each other one it is the network of the window before at its end, frozen: no more than two
    networks are evaluated, however many windows there are.

    The present window is the one that is trained; those before have the weights that they ended
    with, and those behind it are NaN. An edge belongs to the window that ends there. Times before
    the first edge and behind the last one are no place of a solution.

    Args:
        network: Keras model or layer `(n, d) -> (n, m)` of the local time, from 0 to 1, and the
            other columns; its weights are those of the present window.
        coordinates: names of the columns of the input, `"t x"`, with a time `t` or `time`.
        start: the fields at the first edge: a number, a function from columns `(n, 1)` to `(n, 1)`
            or `(n, m)`, or a dict of these by field. A field that is not in the dict, such as a
            pressure, has no start. For `order=2` a function of the time too, whose derivative at
            the first edge counts: `lambda t, x: u0(x) + t * v0(x)`.
        order: the highest derivative by time in the equation, 1 or 2.
        fields: names of the columns of the output, `"u v p"`, if `start` is a dict.
        edges: growing times, one more than windows; `kpinn.march` sets them. Before, there is one
            window from 0 to 1.
        **kwargs: of `keras.layers.Layer`; `dtype` is by default that of the network.

    Input shape: `(n, d)`.

    Output shape: `(n, m)`.

    Raises:
        ValueError: for names without meaning, a start with values of another shape, or edges that
            do not grow. On saving, for a function that is not registered with Keras.

    Example:

        network = kpinn.layers.TimeWindows(
            kpinn.networks.MLP(units=20, depth=3), "t x", start=lambda x: -ops.sin(math.pi * x)
        )
        pinn = Burgers(network)
        pinn.compile(kpinn.optimizers.LevenbergMarquardt())
        kpinn.march(pinn, sample, np.linspace(0.0, 1.0, 11), epochs=50)
    """

    inner = ("network", "start")

    def __init__(self, network, coordinates, start, order=1, fields=None, edges=None, **kwargs):
        super().__init__(network, coordinates, fields, **kwargs)
        self.start, self.order = start, one_of("order", order, (1, 2))
        self.edges = optional(self._growing, "edges", edges)
        self._margin, self._kept = None, None
        self._time_name, self._time = self._column_of_time()
        self._check_start(start)

    def _growing(self, name, edges):
        many = listed(edges)
        if many is None or not 2 <= len(many) <= MOST + 1:
            raise ValueError(
                f"{name} is {shown(edges)}: expected growing times, one more than windows, such as "
                "np.linspace(0.0, 10.0, 21)."
            )
        found = tuple(number(f"each of {name}", each) for each in many)
        if np.any(np.diff(np.asarray(found, self.variable_dtype)) <= 0.0):
            raise ValueError(
                f"{name} is {shown(edges)}: expected growing times, in {self.variable_dtype} too."
            )
        return found

    def _column_of_time(self):
        for name, part in self._space().coordinates.items():
            if name in TIME_NAMES and part.stop - part.start == 1:
                return name, part.start
        raise ValueError(
            f"coordinates {self.coordinates!r} have no time: expected one that is called "
            f"{' or '.join(TIME_NAMES)}."
        )

    def _check_start(self, start):
        given = list(start.values()) if isinstance(start, dict) else [start]
        if not given or any(each is None for each in given):
            raise ValueError("start is missing: expected a number, a function or a dict by field.")
        self._check_functions("start", start)

    # Windows --------------------------------------------------------------------------------

    def build(self, input_shape):
        """Builds the network, and the weights of all windows if the edges are known."""
        super().build(input_shape)
        points = keras.KerasTensor(tuple(input_shape), self.compute_dtype)
        self._width = self.network.compute_output_spec(points).shape[-1]
        if self.edges is not None:
            self._add_windows(self.edges)

    def _add_windows(self, edges):
        def add(name, shape, dtype=None):
            return self.add_weight(shape, "zeros", dtype, trainable=False, name=name)

        self._bounds = add("edges", (len(edges),))
        self._present = add("window", (), "int32")
        weights = self.network.weights
        self._kept = [
            add(f"kept_{place}", (len(edges) - 1, *weight.shape), weight.dtype)
            for place, weight in enumerate(weights)
        ]
        self._bounds.assign(edges)
        for kept, weight in zip(self._kept, weights, strict=True):
            kept.assign(ops.broadcast_to(weight, kept.shape))

    def divide(self, edges):
        """Sets the edges of the windows, and makes the first one the present window.

        Args:
            edges: growing times, one more than windows.

        Raises:
            ValueError: for anything else, or another number of windows than the layer has.
        """
        edges = self._growing("edges", edges)
        if not self.built:
            raise ValueError(f"{self.name!r} is not built: call it on points first.")
        if self._kept is None:
            with open_for_variables(self):
                self._add_windows(edges)
        elif len(edges) != len(self.edges):
            raise ValueError(
                f"edges are those of {len(edges) - 1} windows, and {self.name!r} has the weights "
                f"of {len(self.edges) - 1}: make another one."
            )
        self.edges = edges
        self._bounds.assign(edges)
        self._present.assign(0)

    def advance(self):
        """Keeps the weights of the present window, and makes the next one the present window."""
        present = int(self._present.numpy())
        for kept, weight in zip(self._kept, self.network.weights, strict=True):
            rows = np.array(kept)
            rows[present] = np.asarray(weight)
            kept.assign(rows)
        self._present.assign(present + 1)

    @contextlib.contextmanager
    def alone(self, margin=MARGIN):
        """A block in which the present window alone is evaluated; other times are NaN.

        Args:
            margin: part of the window by which a time may lie beside it.
        """
        self._margin = margin
        try:
            yield
        finally:
            self._margin = None

    # Fields ---------------------------------------------------------------------------------

    @tf.autograph.experimental.do_not_convert  # it would take the engine for code to rewrite
    def call(self, inputs):
        """The fields `(n, m)`."""
        if self._kept is None:
            return self._in_window(inputs, 0, (0.0, 1.0), self.network)
        if self._margin is not None:
            return self._in_present_window(inputs)
        return self._in_every_window(inputs)

    def _in_present_window(self, inputs):
        """The fields in the window that is trained; at other times, which it does not know, NaN."""
        present, time = ops.convert_to_tensor(self._present), self._at(inputs)
        begin, end = self._ends(present)
        found = self._in_window(inputs, present, (begin, end), self.network)
        margin = self._margin * (end - begin)
        is_here = (time > begin - margin) & (time < end + margin)
        return found * _one_or_nan(is_here, found.dtype)

    def _in_every_window(self, inputs):
        """The fields, at each point by its window; those of the others are at places of theirs."""
        time, present = self._at(inputs), ops.convert_to_tensor(self._present)
        own = [ops.convert_to_tensor(weight) for weight in self.network.weights]
        later = ops.cast(time > self._bounds[1:-1], "int32")
        windows = ops.sum(later, axis=1, keepdims=True)

        def step(window, found):
            weights = [
                ops.where(window == present, weight, kept)
                for weight, kept in zip(own, self._weights(window), strict=True)
            ]
            begin, end = self._ends(window)
            is_here = windows == window
            points = self._moved(inputs, ops.where(is_here, time, end))
            fields = self._in_window(points, window, (begin, end), self._with(weights))
            return window + 1, ops.where(is_here, fields, found)

        zeros = ops.tile(ops.zeros_like(time), (1, self._width))
        _, found = ops.while_loop(
            lambda window, found: window <= present,
            step,
            (ops.zeros((), "int32"), zeros),
            maximum_iterations=len(self.edges) - 1,
        )
        return found * _one_or_nan(windows <= present, found.dtype)

    def _in_window(self, inputs, window, ends, network):
        """The fields of a window at points in it.

        Args:
            inputs: points `(n, d)`.
            window: its number.
            ends: its begin and its end.
            network: its network, a function of points in local time.
        """
        begin, end = ends
        local = (self._at(inputs) - begin) / (end - begin)
        values = network(self._moved(inputs, local))
        weight, early = local, ops.zeros_like(local)
        if self.order == 2:
            weight, early = local**2 * (3.0 - 2.0 * local), local * (1.0 - local) ** 2
        first = begin if self._kept is None else self._bounds[0]
        start = self._given(self._moved(inputs, first + (end - begin) * early), values)
        if self._kept is not None:
            start = ops.where(window == 0, start, self._last(inputs, window, (end - begin) * early))
        held = ops.convert_to_tensor(self._held(values.shape[1]), values.dtype)
        share = (1.0 - weight) * held
        return share * start + (1.0 - share) * values

    def _last(self, inputs, window, early):
        """The end of the window before, and what its slope there adds in a time `early`, `(n, 1)`.

        Its values behind the end would be none of a solution.
        """
        before = ops.maximum(window - 1, 0)
        network, (begin, end) = self._with(self._weights(before)), self._ends(before)
        points = self._moved(inputs, ops.ones_like(early))
        if self.order == 1:
            return network(points)
        names = VALUES, f"{VALUES}_{self._time_name}"
        found = engine.derivatives(
            network, self._columns(points), names, self.coordinates, f"{VALUES}[{self._width}]"
        )
        values, slope = (ops.reshape(found[name], (-1, self._width)) for name in names)
        return values + early / (end - begin) * slope

    def _given(self, points, values):
        """The start of the first window: a number, `(n, 1)` or `(n, m)`; by field `(n, m)`.

        Args:
            points: points `(n, d)`.
            values: the outputs of the network, whose shape counts.
        """
        columns = self._columns(points)
        if not isinstance(self.start, dict):
            return evaluate("start", self.start, columns, values)
        space, parts = self._space(), []
        space.check_output(values.shape, points.shape)
        for name, part in space.fields.items():
            given = 0.0 if self.start.get(name) is None else self.start[name]
            found = evaluate(f"start of {name!r}", given, columns, values[:, part])
            # What is no part of the values keeps a network linear that is linear in its weights.
            zeros = ops.zeros_like(points[:, :1])
            parts.append(ops.tile(zeros, (1, part.stop - part.start)) + found)
        return ops.concatenate(parts, axis=1)

    def _held(self, width):
        """Ones for columns that have a start, zeros for the others, `(1, m)`."""
        held = np.ones((1, width))
        if isinstance(self.start, dict):
            for name, part in self._space().fields.items():
                held[:, part] = name in self.start
        return held

    def _with(self, weights):
        """The network with other weights."""
        scope = list(zip(self.network.weights, weights, strict=True))

        def network(points):
            with keras.StatelessScope(scope):
                return self.network(points)

        return network

    def _weights(self, window):
        """Those that a window ended with."""
        return [_row(kept, window) for kept in self._kept]

    def _ends(self, window):
        return _row(self._bounds, window), _row(self._bounds, window + 1)

    def _at(self, inputs):
        """The column of the time."""
        return inputs[:, self._time : self._time + 1]

    def _moved(self, inputs, time):
        """The points at another time."""
        parts = [inputs[:, : self._time], time, inputs[:, self._time + 1 :]]
        return ops.concatenate([part for part in parts if part.shape[1]], axis=1)

    def compute_output_shape(self, input_shape):
        """`(n, m)`, as of the network."""
        return (*input_shape[:-1], self._width)

    def get_config(self):
        """The arguments; raises `ValueError` for a function that is not registered."""
        return super().get_config() | {
            "start": serialized("start", self.start),
            "order": self.order,
            "edges": self.edges and list(self.edges),
        }


def _one_or_nan(is_known, dtype):
    """A factor that makes values and their derivatives NaN, by tapes too, or leaves them."""
    one, nan = (ops.convert_to_tensor(each, dtype) for each in (1.0, float("nan")))
    return ops.where(is_known, one, nan)


def _row(variable, number):
    """A row that is there: `ops.take` traces more, since it looks for negative numbers."""
    return tf.gather(ops.convert_to_tensor(variable), number)
