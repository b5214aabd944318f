"""Callbacks that choose points while `fit` goes on."""

import math

import numpy as np

from kpinn.options import function, number, optional, positive_whole
from kpinn.problem.points import unpack
from kpinn.training import candidates as of
from kpinn.training.every import Every
from kpinn.training.fit import training_data

SAMPLER = "lambda seed: {'heat': box.sample(1_000, seed=seed)}"


class Resample(Every):
    """Trains on fresh points every so many epochs.

    With few points a network of many parameters learns the points and not the equation: the loss
    falls on and the error does not. Optimizers with curvature keep it.

    Args:
        sampler: a function from a whole number, the seed, to what `fit` takes: points, or a tuple
            with targets and sample weights. Conditions that it leaves out keep their points.
        every: epochs from one time to the next.

    Raises:
        ValueError: for another `every` than a positive whole number.

    Example:

        def sample(seed):
            return {"heat": box.sample(4_000, seed=seed)}

        points = sample(0) | {"start": box.face(t=0).sample(200)}
        pinn.fit(points, epochs=200, callbacks=[kpinn.callbacks.Resample(sample, every=5)])
    """

    def __init__(self, sampler, every=1):
        super().__init__(every)
        self.sampler = function("sampler", sampler, SAMPLER)

    def act(self, epoch):
        """Draws with the number of the epoch as the seed, so that a resumed run draws the same."""
        self.model.replace_points(*unpack(self.sampler(epoch)))


class ResidualSampling(Every):
    """Trains on points that are denser where the residual is large (RAD, RAR-D, RAR).

    Every so many epochs as many points as before are drawn from candidates without putting back,
    with probabilities proportional to `|r|^exponent / mean(|r|^exponent) + constant`. Conditions
    that have the same points, and the same candidates, keep common points: `|r|^2` is the sum of
    theirs, each divided by its mean.

    With `add` the points of `fit` stay and so many are added to them each time: RAR-D, for example
    with `exponent=2, constant=0`, and with `exponent=math.inf`, which takes the largest residuals,
    RAR. A set that grows has spare rows, copies of points with a sample weight of zero, and twice
    as many rows when they are used up: a set that grows from 1,000 points to 8,000 is compiled for
    four sizes, however often it grows. Spare rows are in `pinn.training_points` and in metrics
    while `fit` goes on; at its end the points are those alone that were drawn.

    Args:
        sampler: a function from a whole number, the seed, to candidates, several times as many as
            the points of `fit`: a dict from condition to a dict of arrays, or one dict of arrays if
            all conditions share their points. Conditions that it leaves out keep their points.
        every: epochs from one time to the next.
        exponent: the larger, the denser; `math.inf` takes the largest residuals.
        constant: the larger, the more uniform. With 0 a candidate without a residual is drawn
            only if there are not enough others.
        add: points that each set grows by; by default sets keep their size.

    Raises:
        ValueError: for numbers out of range; in `fit`, for fewer candidates than points, for
            residuals that are not finite, and for conditions with targets or sample weights,
            which belong to their points.

    Example:

        dense = kpinn.callbacks.ResidualSampling(
            lambda seed: {"momentum": box.sample(50_000, seed=seed)}, every=20
        )
        pinn.fit(points, epochs=400, callbacks=[dense])

    References:
        C. Wu, M. Zhu, Q. Tan, Y. Kartha and L. Lu, A comprehensive study of non-adaptive and
        residual-based adaptive sampling for physics-informed neural networks, Computer Methods in
        Applied Mechanics and Engineering 403 (2023), 115671.
    """

    def __init__(self, sampler, every=100, exponent=1.0, constant=1.0, add=None):
        super().__init__(every)
        self.sampler = function("sampler", sampler, SAMPLER)
        greedy = isinstance(exponent, float) and exponent == math.inf
        self.exponent = exponent if greedy else number("exponent", exponent, "[0, inf)")
        self.constant = number("constant", constant, "[0, inf)")
        self.add = optional(positive_whole, "add", add)
        self._grown = {}  # by the first condition of a set: its points, and its rows

    def on_train_begin(self, logs=None):
        """Refuses points that cannot be others."""
        super().on_train_begin(logs)
        self._grown = {}
        of.refuse_bound(self, training_data(self.model))

    def act(self, epoch):
        """Draws with the number of the epoch as the seed."""
        candidates = self.model.prepare(self.sampler(epoch)).points
        points, residuals = self.model.training_points, self.model.residuals(candidates)
        generator, sets, weights = np.random.default_rng(epoch), [], {}
        for names in of.together(self.model.problem, candidates, points):
            old, new = of.arrays_of(points, names), of.arrays_of(candidates, names)
            count = self.add or of.count(points, names)
            rows = self._rows([residuals[name] for name in names], count, generator)
            arrays = of.taken(new, rows)
            if self.add is not None:
                arrays, weight = self._added(names, old, arrays)
                weights |= {name: weight * self._mean(name, weight) for name in names}
            sets.append((names, arrays))
        of.replace(self.model, sets, weights or None)

    def on_train_end(self, logs=None):
        """Leaves spare rows out."""
        points, sets = self.model.training_points, []
        for names in of.together(self.model.problem, points, points):
            count, rows = self._grown.get(names[0], (None, None))
            if rows == of.count(points, names):
                sets.append((names, of.taken(of.arrays_of(points, names), slice(count))))
        if sets:
            of.replace(self.model, sets)

    def _rows(self, residuals, count, generator):
        """Which candidates are taken, from the residuals of conditions on them."""
        of.check_enough(self, len(residuals[0]), count)
        sizes = of.sizes_of(self, residuals)
        if self.exponent == math.inf:
            return np.argsort(-sizes, kind="stable")[:count]
        weights = of.probabilities(sizes, self.exponent, self.constant)
        return generator.choice(len(weights), count, replace=False, p=weights)

    def _added(self, names, old, new):
        """A set with more points, and where its rows are points (1.0) or spare ones (0.0)."""
        rows = len(next(iter(old.values())))
        count, known = self._grown.get(names[0], (rows, rows))
        count = count if known == rows else rows  # else somebody else has replaced it
        arrays, count = of.joined(of.taken(old, slice(count)), new), count + self.add
        while rows < count:
            rows *= 2
        self._grown[names[0]] = count, rows
        numbers = np.arange(rows)
        return of.taken(arrays, numbers % count), np.where(numbers < count, 1.0, 0.0)

    def _mean(self, name, weight):
        """The factor with which the mean over all rows is that over the points."""
        return 1.0 if self.model.objective.losses.reduction(name) == "sum" else 1.0 / weight.mean()


class RetainResampleRelease(Every):
    """Keeps the points whose residual is above average, and replaces all others by fresh ones (R3).

    Points gather where the residual stays large, and leave where it has become small; their number
    stays. Conditions that have the same points keep common ones, as in `ResidualSampling`.

    Args:
        sampler: a function from a whole number, the seed, to fresh points, at least as many as the
            points of `fit`, as for `ResidualSampling`; of these as many as are needed are taken.
        every: epochs from one time to the next.

    Raises:
        ValueError: as `ResidualSampling`.

    Example:

        def sample(seed):
            return {"heat": box.sample(4_000, seed=seed)}

        release = kpinn.callbacks.RetainResampleRelease(sample)
        pinn.fit(points | sample(0), epochs=1_000, callbacks=[release])

    References:
        A. Daw, J. Bu, S. Wang, P. Perdikaris and A. Karpatne, Mitigating propagation failures in
        physics-informed neural networks using retain-resample-release (R3) sampling, Proceedings of
        the 40th International Conference on Machine Learning (2023), algorithm 1.
    """

    def __init__(self, sampler, every=1):
        super().__init__(every)
        self.sampler = function("sampler", sampler, SAMPLER)

    def on_train_begin(self, logs=None):
        """Refuses points that cannot be others."""
        super().on_train_begin(logs)
        of.refuse_bound(self, training_data(self.model))

    def act(self, epoch):
        """Draws with the number of the epoch as the seed."""
        fresh = self.model.prepare(self.sampler(epoch)).points
        points, generator = self.model.training_points, np.random.default_rng(epoch)
        residuals, sets = self.model.residuals(points), []
        for names in of.together(self.model.problem, fresh, points):
            old, new = of.arrays_of(points, names), of.arrays_of(fresh, names)
            sizes = of.sizes_of(self, [residuals[name] for name in names])
            retained = sizes > np.mean(sizes)
            available, released = of.count(fresh, names), int(np.sum(~retained))
            of.check_enough(self, available, released)
            rows = generator.choice(available, released, replace=False)
            sets.append((names, of.joined(of.taken(old, retained), of.taken(new, rows))))
        of.replace(self.model, sets)


class ImportanceSampling(Every):
    """Draws points where the loss is large, and weights them so that its mean stays what it was.

    Every so many epochs as many points as before are drawn from candidates, with putting back, with
    probabilities `q` proportional to `|r|^exponent / mean(|r|^exponent) + constant`. A point gets
    the sample weight `1 / (N q)` for `N` candidates, so that the loss at the points has the mean of
    the loss at all candidates as its expectation: the gradient has less noise, and no bias.
    `ResidualSampling`, without weights, trains another loss, in which large residuals count more.

    Args:
        sampler: as for `ResidualSampling`.
        every: epochs from one time to the next.
        exponent: 2 draws in proportion to squared residuals.
        constant: positive; weights stay below `(1 + constant) / constant`.

    Raises:
        ValueError: as `ResidualSampling`.

    Example:

        draw = kpinn.callbacks.ImportanceSampling(
            lambda seed: {"momentum": box.sample(50_000, seed=seed)}, every=5
        )
        pinn.fit(points, epochs=400, callbacks=[draw])

    References:
        M. A. Nabian, R. J. Gladstone and H. Meidani, Efficient training of physics-informed neural
        networks via importance sampling, Computer-Aided Civil and Infrastructure Engineering 36
        (2021), 962-977.
    """

    def __init__(self, sampler, every=100, exponent=2.0, constant=1.0):
        super().__init__(every)
        self.sampler = function("sampler", sampler, SAMPLER)
        self.exponent = number("exponent", exponent, "[0, inf)")
        self.constant = number("constant", constant, "(0, inf)")

    def on_train_begin(self, logs=None):
        """Weights of one, so that the first step has the same arguments as the others."""
        super().on_train_begin(logs)
        data = training_data(self.model)
        of.refuse_bound(self, data)
        drawn = self.model.prepare(self.sampler(0)).points
        sets = of.together(self.model.problem, drawn, data.points)
        ones = {n: np.ones(of.count(data.points, names)) for names in sets for n in names}
        self.model.replace_weights(ones)

    def act(self, epoch):
        """Draws with the number of the epoch as the seed."""
        candidates = self.model.prepare(self.sampler(epoch)).points
        points, residuals = self.model.training_points, self.model.residuals(candidates)
        generator, sets, weights = np.random.default_rng(epoch), [], {}
        for names in of.together(self.model.problem, candidates, points):
            count, new = of.count(points, names), of.arrays_of(candidates, names)
            sizes = of.sizes_of(self, [residuals[name] for name in names])
            chances = of.probabilities(sizes, self.exponent, self.constant)
            # Systematic sampling: as many of each as n q says, up to one.
            levels = (generator.uniform() + np.arange(count)) / count
            rows = np.searchsorted(np.cumsum(chances), levels).clip(max=len(chances) - 1)
            sets.append((names, of.taken(new, rows)))
            weights |= dict.fromkeys(names, 1.0 / (len(chances) * chances[rows]))
        of.replace(self.model, sets, weights)
