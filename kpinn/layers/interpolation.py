"""Tables as functions of the coordinates: splines through values on a grid."""

import math

import keras
import numpy as np
import scipy  # not scipy.interpolate, which is slow to load, and loads when it is first named
import tensorflow as tf
from keras import ops

from kpinn.derivatives.precision import EPSILON
from kpinn.options import one_of, positive_whole, shown
from kpinn.options.arrays import float_array, listed, one_or_several
from kpinn.options.configs import FromConfig

OUTSIDE = ("nan", "clamp", "extrapolate")
ROUNDING = 8.0  # machine epsilons of the largest coordinate by which a point may be off the grid


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Interpolation(FromConfig, keras.layers.Layer):
    """A function that is known by a table: the spline through values on a grid.

    With several columns it is the tensor product of splines, as in `scipy.interpolate.NdBSpline`.
    Its derivatives are exact up to every order; those of order `degree` jump at the grid, those
    above are zero, so that an equation with second derivatives of a table needs `degree=3` at
    least. Nothing of it is trained.

    Args:
        grid: increasing coordinates `(n1,)`; or for `d` columns a list of `d` such arrays.
        values: the table, `(n1, ..., nd)`, or `(n1, ..., nd, m)` for `m` functions.
        degree: of the polynomials, or a list with one for each column; 1 for straight lines. Each
            column of the grid has more entries than that.
        outside: what holds beyond the grid: `"nan"`, so that `fit` and `evaluate` say which
            condition has points there; `"clamp"`, the value at the nearest point of the grid, with
            the slope zero; or `"extrapolate"`, the polynomial of the last cell.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`.

    Output shape: `(n, m)`.

    Raises:
        ValueError: for a grid that does not increase or is too short, a table of another shape, or
            numbers that are too large for the dtype.

    Example:

        class Rod(kpinn.PINN):
            coordinates, fields = "x", "u"

            def __init__(self, network, places, conductivities, **kwargs):
                super().__init__(network, **kwargs)
                self.k = kpinn.layers.Interpolation(places, conductivities)

            @kpinn.field
            def flux(self, x, u_x):
                return self.k(x) * u_x

    References:
        de Boor, "A practical guide to splines" (1978), chapters IX and XVII.
    """

    def __init__(self, grid, values, degree=3, outside="nan", **kwargs):
        super().__init__(**kwargs)
        self.grid = [float_array("grid", each) for each in _axes(grid)]
        degrees = one_or_several("degree", degree, positive_whole)
        self.degree = degrees if isinstance(degrees, list) else [degrees] * len(self.grid)
        if len(self.degree) != len(self.grid):
            raise ValueError(
                f"degree={shown(degree)} has {len(self.degree)} numbers for {len(self.grid)} "
                "columns of the grid: expected one number, or one for each."
            )
        for column, each in zip(self.grid, self.degree, strict=True):
            _check_column(column, each)
        self.values = _checked_values(values, [len(each) for each in self.grid])
        self.outside = one_of("outside", outside, OUTSIDE)
        knots, coefficients = _spline(self.grid, self.values, self.degree)
        self.counts = coefficients.shape[:-1]
        flat = coefficients.reshape(-1, coefficients.shape[-1])
        self.coefficients, self.breaks, self.tables = self._fixed("coefficients", flat), [], []
        for column, (each, degree) in enumerate(zip(knots, self.degree, strict=True)):
            epsilon = EPSILON[tf.as_dtype(self.compute_dtype)]
            breaks, table = _cells(each, degree, self.outside, epsilon)
            self.breaks.append(self._fixed(f"breaks_{column}", breaks))
            self.tables.append(self._fixed(f"table_{column}", table))
        self.built = True

    def _fixed(self, name, values):
        """A weight that is not trained."""
        if np.any(np.abs(values) > tf.as_dtype(self.variable_dtype).max):
            raise ValueError(
                f"grid and values make numbers that are too large for {self.variable_dtype}: by "
                "places that are nearly the same, or by values of the size of 1e38."
            )
        return self.add_weight(
            shape=values.shape,
            name=name,
            trainable=False,
            initializer=lambda shape, dtype: ops.convert_to_tensor(values, dtype),
        )

    def call(self, inputs):
        """The values `(n, m)`."""
        if len(inputs.shape) != 2 or inputs.shape[1] != len(self.grid):
            raise ValueError(
                f"layer {self.name!r} got an input of the shape {tuple(inputs.shape)}: expected "
                f"(n, {len(self.grid)}), one column for each of the grid."
            )
        first, bases = 0, []
        for column, count in enumerate(self.counts):
            x, size = inputs[:, column : column + 1], self.degree[column] + 1
            cell = tf.searchsorted(ops.convert_to_tensor(self.breaks[column]), x[:, 0], "right")
            row = tf.gather(ops.convert_to_tensor(self.tables[column]), cell)
            bases.append(_basis(x, row, size))
            last = count - size
            first = count * first + tf.clip_by_value(cell - 1, 0, last)
        sizes = [degree + 1 for degree in self.degree]
        places = np.ravel_multi_index(np.indices(sizes).reshape(len(sizes), -1), self.counts)
        found = tf.gather(
            ops.convert_to_tensor(self.coefficients), first[:, None] + places.astype("int32")
        )
        size = self.coefficients.shape[1]
        for basis in reversed(bases):
            found = ops.reshape(found, (-1, math.prod(sizes[:-1]), sizes.pop(), size))
            found = ops.sum(found * ops.reshape(basis, (-1, 1, basis.shape[1], 1)), axis=2)
        return ops.reshape(found, (-1, size))

    def compute_output_shape(self, input_shape):
        """`(n, m)`."""
        return (input_shape[0], self.values.shape[-1])

    def get_config(self):
        """The arguments."""
        return super().get_config() | {
            "grid": [each.tolist() for each in self.grid],
            "values": self.values.tolist(),
            "degree": list(self.degree),
            "outside": self.outside,
        }


def _axes(grid):
    """The columns of a grid, a list of what was given for each."""
    many = listed(grid)
    if many is None and np.ndim(grid) == 2:
        many = list(np.asarray(grid))
    if not many:
        raise ValueError(
            f"grid is {shown(grid)}: expected increasing coordinates, or a list of such arrays."
        )
    return [grid] if all(np.ndim(each) == 0 for each in many) else many


def _check_column(column, degree):
    if column.ndim != 1 or not np.all(np.isfinite(column)) or np.any(np.diff(column) <= 0):
        raise ValueError(
            f"grid has the column {shown(column.tolist())}: expected finite numbers that increase."
        )
    if len(column) <= degree:
        raise ValueError(
            f"grid has a column of {len(column)} entries: expected more than degree={degree}."
        )


def _checked_values(values, counts):
    """The table with an axis for the functions, `(n1, ..., nd, m)`."""
    values = float_array("values", values)
    if list(values.shape) == counts:
        values = values[..., None]
    if list(values.shape[:-1]) != counts or not values.shape[-1]:
        raise ValueError(
            f"values has the shape {values.shape}: expected {tuple(counts)} as the grid, or "
            f"{(*counts, 'm')} for m functions."
        )
    if not np.all(np.isfinite(values)):
        raise ValueError("values has NaN or infinity: a spline needs all values of the table.")
    return values


# Splines ---------------------------------------------------------------------------------------


def _spline(grid, values, degrees):
    """Knots for each column, and coefficients of the products of B-splines `(c1, ..., cd, m)`."""
    knots = []
    for axis, (column, degree) in enumerate(zip(grid, degrees, strict=True)):
        first = np.moveaxis(values, axis, 0)
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                spline = scipy.interpolate.make_interp_spline(column, first, degree)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise ValueError(
                "grid and values make no spline: places are nearly the same, or numbers too large "
                f"({str(error).rstrip('.')})."
            ) from error
        values = np.moveaxis(spline.c, 0, axis)
        knots.append(spline.t)
    return knots, values


def _cells(knots, degree, outside, epsilon):
    """The ends of the cells `(c + 1,)`, and a table with a row for each cell and each outside.

    A row is the begin of the cell, one over its width, and the polynomials of its B-splines. Those
    on the left and on the right of the grid are the first and the last one.
    """
    breaks = knots[degree : len(knots) - degree].copy()
    begin, width = breaks[:-1], np.diff(breaks)
    pieces = _polynomials(knots, degree)
    ends = np.concatenate([pieces[:1], pieces, pieces[-1:]])
    if outside == "nan":
        ends[[0, -1]] = np.nan
    if outside == "clamp":
        ends[-1, 0] = pieces[-1].sum(axis=0)  # at the end of the last cell
        ends[[0, -1], 1:] = 0.0
    with np.errstate(over="ignore"):  # what is too large is refused later
        scale = 1.0 / width
    begin, scale = (np.concatenate([x[:1], x, x[-1:]]) for x in (begin, scale))
    slack = ROUNDING * epsilon * np.abs(breaks[[0, -1]]).max()
    breaks[0], breaks[-1] = breaks[0] - slack, breaks[-1] + slack
    return breaks, np.column_stack([begin, scale, ends.reshape(len(ends), -1)])


def _polynomials(knots, degree):
    """Coefficients `(cell, power, B-spline)` of the B-splines that are not zero in each cell.

    The powers are those of the place in the cell, from zero to one. By the recurrence of Cox and
    de Boor, in which a B-spline of lower degree rises into the next one and falls into its own.
    """
    cells = np.arange(degree, len(knots) - degree - 1)
    begin, width = knots[cells], knots[cells + 1] - knots[cells]
    found = np.ones((len(cells), 1, 1))
    for order in range(1, degree + 1):
        higher = np.zeros((len(cells), order + 1, order + 1))
        for b in range(order):
            low, high = knots[cells - order + 1 + b], knots[cells + 1 + b]
            rise, slope = (begin - low) / (high - low), width / (high - low)
            piece = found[:, :, b]
            higher[:, :-1, b + 1] += rise[:, None] * piece
            higher[:, 1:, b + 1] += slope[:, None] * piece
            higher[:, :-1, b] += (1.0 - rise)[:, None] * piece
            higher[:, 1:, b] -= slope[:, None] * piece
        found = higher
    return found


def _basis(x, row, size):
    """The B-splines of a cell at a place, `(n, size)`, from its row of the table."""
    place = (x - row[:, :1]) * row[:, 1:2]
    powers = ops.reshape(row[:, 2:], (-1, size, size))
    found = powers[:, size - 1]
    for power in reversed(range(size - 1)):
        found = found * place + powers[:, power]
    return found
