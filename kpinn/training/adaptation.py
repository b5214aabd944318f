"""The scales of random features, chosen by residuals at points that are not trained on.

For each scale on a grid a part of the linear layer is fitted to a part of the points, by least
squares, and the residuals at other points say how well. The solution is not looked at, which nobody
knows.
"""

import dataclasses
import math
import typing

import numpy as np
import tensorflow as tf

from kpinn.derivatives.keras_private import all_layers
from kpinn.layers import RandomFeatures
from kpinn.objective.compiled import Compiled
from kpinn.optimizers.least_squares.spectrum import ROUNDS, least_squares
from kpinn.problem.points import batch, counts, sets_of, sizes, widths_of

COLUMNS, MANY = 400, 1_500  # most parameters that are fitted, to many scales and to a few
ROWS = 3  # points for each of them, to fit and as many to judge, as far as there are
LEFT_OUT = 8  # part of the points that is not fitted, at least
FEW = 8  # points of a set that are not divided
STEPS = 8  # of Gauss and Newton at most, where the equations are not linear
ALIKE = 3.0  # times the best residual after one of them, above which a scale is given up
GRID = np.arange(0.0, 7.5, 0.5)  # powers of two: scales, over half the width of a window of the box
DRAWN = 32  # scales that differ between columns
MULTIPLES = 4  # of a scale that are tried with all features
FACTOR, BETTER = 2.0**0.5, 0.8  # of a scale along one column, and of the residual to go on so
DOWN = 2.0  # from a scale to the next, below the grid
WORSE = 1e3  # than the best residual: larger scales are not tried
POOR = 0.1  # of the residual without features, above which a part of them is too few to judge
MOST = 2**17  # points that the box is made of


class Adaptation(typing.NamedTuple):
    """What was found for a `kpinn.layers.RandomFeatures`.

    Attributes:
        scale: that of each column, a list.
        residual: root of the weighted squares at points that were not fitted, with a part of the
            features.
        tried: pairs of such scales and residuals.
    """

    scale: list
    residual: float
    tried: list


def adapt(pinn, data):
    """Puts random features into the box of points, and chooses scales that were not given.

    Args:
        pinn: the `PINN`, compiled.
        data: the `Data` of all conditions.

    Returns:
        A dict from the name of a layer to its `Adaptation`, of those whose scale was chosen.

    Raises:
        ValueError: for features whose scale cannot be chosen so.
    """
    return _adapt(pinn, data, _features_of(pinn))


def adapt_first(pinn, data, verbose):
    """The same before training for layers that were never adapted; says what was chosen."""
    for name, found in _adapt(pinn, data, _unadapted(pinn)).items():
        if verbose:
            scale = ", ".join(f"{number:.3g}" for number in found.scale)
            print(
                f"{name}: scale [{scale}], with which features that were fitted to a part of the "
                f"points left residuals of {found.residual:.1e} at others"
            )


def refuse_unadapted(pinn):
    """Raises `ValueError` for features that need points which cannot be read twice."""
    for layer in _unadapted(pinn):
        raise ValueError(
            f"{layer.name!r} has no scale yet, and these points can be read only once: call "
            "pinn.adapt with some points as arrays before."
        )


def _adapt(pinn, data, layers):
    for layer in layers:
        layer.adapt(_inputs_of(layer, pinn.problem, data))
    choosing = [layer for layer in layers if layer.chooses_scale]
    if len(choosing) > 1:  # one alone says little while the others are not right
        _Search(pinn, _Several(choosing), data).run()
    return {layer.name: _Search(pinn, layer, data).run() for layer in choosing}


def _features_of(pinn):
    return [layer for layer in all_layers(pinn.network) if isinstance(layer, RandomFeatures)]


def _unadapted(pinn):
    return [layer for layer in _features_of(pinn) if not layer.is_adapted]


def _inputs_of(layer, problem, data):
    """What a layer gets for the points of a `Data`, an array."""
    parts = []
    for _, arrays in sets_of(problem, data.points):
        columns = [np.asarray(arrays[name]) for name in problem.space.coordinates]
        parts.append(np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1))
    points = np.concatenate(parts)
    points = points[:: math.ceil(len(points) / MOST)]
    return layer.inputs_of(lambda: problem.network(points))


class _Several:
    """Layers with one scale, which is in the unit of each box.

    Args:
        layers: list of `RandomFeatures`, each with a box.
    """

    box, windows = ([-1.0], [1.0]), None

    def __init__(self, layers):
        self.layers, self.seed = layers, layers[0].seed
        self.name = " and ".join(layer.name for layer in layers)

    def set_scale(self, scale):
        """Sets the scales of all."""
        for layer in self.layers:
            layer.set_scale(scale[0] / _unit(layer))


def _unit(layer):
    """Half the widths of the box of a layer, of its windows if it has some."""
    low, high = np.asarray(layer.box, np.float64)
    return np.where(high > low, (high - low) / 2.0, 1.0) / (layer.windows or 1)


class _Search:
    """The search for the scale of one layer, or of several together.

    Args:
        pinn: the `PINN`.
        layer: the `RandomFeatures`, which has a box; or a `_Several`.
        data: the `Data` of all conditions.
    """

    def __init__(self, pinn, layer, data):
        self.layer, self.problem, self.data = layer, pinn.problem, data
        self.objective = dataclasses.replace(pinn.objective, compiled=Compiled())
        self._refuse_others()
        self.network, self.others = _parameters(pinn)
        self.theta = self.objective.theta(tf.float64).numpy()  # evaluations will change them
        self.tried = []

    def _refuse_others(self):
        """Raises `ValueError` for what is no problem of least squares."""
        reason = "the network is not linear in its trained parameters"
        try:
            self.objective.check_squares(self.data)
            if self.objective.has_affine_network():
                return
        except ValueError as error:
            reason = str(error).rstrip(".")
        raise ValueError(
            f"the scale of {self.layer.name!r} cannot be chosen by least squares: {reason}. Or "
            "pass scale to RandomFeatures, the largest angular frequency along each coordinate."
        )

    def run(self):
        """The best scale, which the layer has then; all parameters are as before."""
        try:
            scale, residual = self._best()
        finally:
            self.objective.assign(tf.constant(self.theta, self.objective.dtype))
        self.layer.set_scale(scale)
        return Adaptation([float(s) for s in scale], residual, self.tried)

    def _best(self):
        """The scale and its residual."""
        unit = _unit(self.layer)
        few = _Trials(self, COLUMNS)
        few.go_through(2.0 ** GRID[:, None] / unit)
        few.go_down()
        for draw in _drawn(len(unit)):
            few.residual(2.0 ** (GRID[-1] * draw) / unit)
        if not math.isfinite(few.best()[1]):
            raise ValueError(
                f"no scale of {self.layer.name!r} gave finite residuals: pass scale to "
                "RandomFeatures."
            )
        for column in range(len(unit) if len(unit) > 1 else 0):
            few.go_along(column)
        if len(self.network) <= few.count:
            return few.best()
        many = _Trials(self, MANY)  # which resolve more than a part of the features does
        if few.best()[1] > POOR * few.without:
            many.go_through(2.0 ** GRID[:, None] / unit)
        else:
            many.go_through(FACTOR ** np.arange(MULTIPLES)[:, None] * few.best()[0])
        return many.best()


class _Trials:
    """Residuals at other points for trial scales, with so many columns of the Jacobian.

    Args:
        search: the `_Search`.
        columns: most parameters of the network that are fitted.
    """

    def __init__(self, search, columns):
        self.search, self.objective, self.found = search, search.objective, []
        self.first = math.inf  # the best residual after one step
        random = np.random.default_rng(search.layer.seed)
        self.theta = search.theta.copy()
        self.theta[search.network] = 0.0  # what other features had is nothing to begin with
        self.fitted, self.judged = _halves(search.problem, search.data, columns, random)
        rows = self.objective.residuals(self._tensor(self.theta), self.fitted)[1].shape[0]
        row, _ = self.objective.residuals(self._tensor(self.theta), self.judged)
        self.without = math.sqrt(max(float(row[0]), 0.0))  # the residual without features
        self.count = min(columns, len(search.network), max(1, 2 * rows // 3))
        chosen = random.permutation(search.network)[: self.count]
        self.columns = np.concatenate([chosen, search.others])
        self.is_affine = self.objective.is_affine(self.fitted)

    def best(self):
        """The scale with the smallest residual, and that."""
        return min(self.found, key=lambda pair: pair[1])

    def residual(self, scale):
        """The root of the loss at the other points with a scale."""
        self.search.layer.set_scale(scale)
        theta, best = self.theta.copy(), math.inf
        steps, rounds = (1, ROUNDS) if self.is_affine else (STEPS, 1)
        for number in range(steps):
            theta[self.columns] += least_squares(*self._jacobian(theta), rounds)
            row, _ = self.objective.residuals(self._tensor(theta), self.judged)
            before, found = best, math.sqrt(max(float(row[0]), 0.0))
            best = min(best, found) if math.isfinite(found) else best
            if number == 0:
                self.first = min(self.first, best)
                if best > ALIKE * self.first:
                    break
            elif not found < before / 2.0:
                break
        self.found.append((np.array(scale), best))
        self.search.tried.append(self.found[-1])
        return best

    def go_through(self, scales):
        """Tries scales that grow, until one is far worse than the best."""
        for scale in scales:
            if self.residual(scale) > WORSE * self.best()[1]:
                break

    def go_down(self):
        """Goes on to smaller scales, if the smallest is the best, while the residual falls."""
        scale, residual = self.best()
        if scale is not self.found[0][0]:
            return
        while True:
            trial = scale / DOWN
            found = self.residual(trial)
            if not found < BETTER * residual:
                break
            scale, residual = trial, found

    def go_along(self, column):
        """Varies the best scale along one column while the residual falls."""
        for factor in (FACTOR, 1.0 / FACTOR):
            scale, residual = self.best()
            while True:
                trial = np.array(scale)
                trial[column] *= factor
                if not self.residual(trial) < BETTER * residual:
                    break
                scale, residual = self.best()

    def _jacobian(self, theta):
        """The columns of the Jacobian that are fitted, and the residuals, as arrays."""

        def add(found, matrix, residuals):
            return [*found, (matrix.numpy()[:, self.columns], residuals.numpy())]

        found = self.objective.fold_jacobian(self._tensor(theta), self.fitted, add, [])
        matrices, residuals = zip(*found, strict=True)
        return np.concatenate(matrices), np.concatenate(residuals)

    def _tensor(self, theta):
        return tf.constant(theta, self.objective.dtype)


def _drawn(columns):
    """Numbers between 0 and 1, evenly spread, `(DRAWN, columns)`; none for one column.

    Multiples of irrational numbers, modulo one: the powers of the root of `x^(d + 1) = x + 1`.
    """
    root = 2.0
    for _ in range(50):
        root = (1.0 + root) ** (1.0 / (columns + 1.0))
    steps = root ** -np.arange(1.0, columns + 1.0)
    return (0.5 + np.outer(np.arange(DRAWN if columns > 1 else 0), steps)) % 1.0


def _parameters(pinn):
    """Positions of the parameters of the network, and of all others."""
    own, numbers = {id(variable) for variable in pinn.network.trainable_variables}, ([], [])
    for number, variable in enumerate(pinn.objective.variables):
        numbers[id(variable) not in own].append(number)
    return [pinn.objective.positions(each) for each in numbers]


def _halves(problem, data, columns, random):
    """Two parts of a `Data`, of different points as far as there are several.

    Args:
        problem: the `Problem`.
        data: a `Data`.
        columns: parameters that are fitted.
        random: a numpy generator.
    """
    whole = _whole_sizes(problem, data)
    different = sizes(data)
    wanted = ROWS * columns / sum(different)
    parts = {}, {}
    for count in different:
        if count < FEW or count in whole:
            rows = 2 * [np.arange(count)]
        else:
            order = random.permutation(count)
            size = min(count - max(count // LEFT_OUT, 1), math.ceil(wanted * count))
            rows = order[:size], order[size : 2 * size]
        for part, chosen in zip(parts, rows, strict=True):
            part[count] = tf.constant(chosen)
    names = [name for name, condition in problem.conditions.items() if not condition.over_set]
    of = counts(names, data)
    return [batch(data, {name: part[count] for name, count in of.items()}) for part in parts]


def _whole_sizes(problem, data):
    """The numbers of points of the sets that a condition takes together."""
    return {
        next(iter(arrays.values())).shape[0]
        for names, arrays in sets_of(problem, data.points)
        for name in names
        if problem.takes_together(name, widths_of(arrays))
    }
