"""Callbacks that choose points and weights of points while `fit` goes on."""

import keras
import numpy as np

from kpinn.data import is_shared, unpack


class _Every(keras.callbacks.Callback):
    """Base class of callbacks that act at the begin of every so many epochs, but not of the first.

    Args:
        every: epochs from one time to the next.
    """

    def __init__(self, every):
        super().__init__()
        if int(every) != every or every < 1:
            raise ValueError(f"every is a positive whole number of epochs, not {every!r}.")
        self.every = int(every)

    def on_epoch_begin(self, epoch, logs=None):
        """Acts, if it is time."""
        if epoch and epoch % self.every == 0:
            self.act(epoch)


class Resample(_Every):
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
        self.sampler = sampler

    def act(self, epoch):
        """Draws with the number of the epoch as the seed, so that a resumed run draws the same."""
        self.model.replace_points(*unpack(self.sampler(epoch)))


class ResidualSampling(_Every):
    """Trains on points that are denser where the residual is large (RAD).

    Every so many epochs as many points as before are drawn from candidates without putting back,
    with probabilities proportional to `|r|^exponent / mean(|r|^exponent) + constant`.

    Args:
        sampler: a function from a whole number, the seed, to candidates, several times as many as
            the points of `fit`: a dict from condition to a dict of arrays, or one dict of arrays if
            all conditions share their points. Conditions that it leaves out keep their points.
        every: epochs from one time to the next.
        exponent: the larger, the denser.
        constant: the larger, the more uniform.

    Raises:
        ValueError: for numbers out of range; in `fit`, for fewer candidates than points.

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

    def __init__(self, sampler, every=100, exponent=1.0, constant=1.0):
        super().__init__(every)
        if exponent < 0 or constant < 0 or exponent == constant == 0:
            raise ValueError(
                f"exponent and constant are not negative, not {exponent!r} and {constant!r}."
            )
        self.sampler, self.exponent, self.constant = sampler, exponent, constant

    def act(self, epoch):
        """Draws with the number of the epoch as the seed."""
        candidates = self.sampler(epoch)
        residuals = self.model.residuals(candidates)
        generator = np.random.default_rng(epoch)
        if is_shared(candidates):
            sizes = [np.sum(r**2, axis=1) / max(np.mean(r**2), 1e-300) for r in residuals.values()]
            chosen = self._chosen(candidates, np.sqrt(sum(sizes)), self._count(None), generator)
        else:
            chosen = {
                name: self._chosen(
                    arrays, np.linalg.norm(residuals[name], axis=1), self._count(name), generator
                )
                for name, arrays in candidates.items()
            }
        self.model.replace_points(chosen)

    def _count(self, name):
        points = self.model.training_points
        return len(next(iter((points if name is None else points[name]).values())))

    def _chosen(self, arrays, residuals, count, generator):
        if len(residuals) < count:
            raise ValueError(
                f"the sampler of ResidualSampling gives {len(residuals)} candidates for {count} "
                "points: expected several times as many."
            )
        dense = residuals**self.exponent
        weights = dense / max(np.mean(dense), 1e-300) + self.constant
        rows = generator.choice(len(weights), count, replace=False, p=weights / weights.sum())
        return {name: np.asarray(array)[rows] for name, array in arrays.items()}


class ResidualWeights(_Every):
    """Weights points by their residuals (RBA): those that stay large count more and more.

    Each point has a weight `w`, at first one, that becomes
    `decay * w + rate * |r| / max |r|`; its squared residual counts `w^2` times.

    Args:
        conditions: names of the conditions; by default those of `fit`.
        every: epochs from one time to the next.
        decay: between 0 and 1.
        rate: positive; weights stay below `max(1, rate / (1 - decay))`.

    Raises:
        ValueError: for numbers out of range, or a condition that there is not.

    Example:

        pinn.fit(points, epochs=5_000, callbacks=[kpinn.callbacks.ResidualWeights(every=10)])

    References:
        S. J. Anagnostopoulos, J. D. Toscano, N. Stergiopulos and G. E. Karniadakis,
        Residual-based attention in physics-informed neural networks, Computer Methods in Applied
        Mechanics and Engineering 421 (2024), 116805.
    """

    def __init__(self, conditions=None, every=1, decay=0.999, rate=0.01):
        super().__init__(every)
        if not 0.0 <= decay < 1.0 or not rate > 0.0:
            raise ValueError(
                f"decay is at least 0 and below 1, and rate is positive, not {decay!r}, {rate!r}."
            )
        self.names = [conditions] if isinstance(conditions, str) else conditions
        self.decay, self.rate, self.weights = decay, rate, {}

    def on_train_begin(self, logs=None):
        """Weights of one, so that the first step has the same arguments as the others."""
        known = list(self.model.conditions)
        names = known if self.names is None else list(self.names)
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"{unknown[0]!r} is not one of the conditions {', '.join(known)}.")
        residuals = self.model.residuals(self.model.training_points)
        self.weights = {name: np.ones(len(residuals[name])) for name in names}
        self._put()

    def act(self, epoch):
        """Updates the weights."""
        residuals = self.model.residuals(self.model.training_points)
        for name, weight in self.weights.items():
            size = np.linalg.norm(residuals[name], axis=1)
            part = size / max(size.max(), 1e-300)
            self.weights[name] = self.decay * weight + self.rate * part
        self._put()

    def _put(self):
        self.model.replace_weights({name: w**2 for name, w in self.weights.items()})
