"""Weights of conditions by the sizes of their residuals, before anything is trained."""

import math

import numpy as np
import tensorflow as tf

from kpinn.derivatives.declarations import independent
from kpinn.derivatives.keras_private import all_layers
from kpinn.layers import Scaled
from kpinn.objective.compiled import Compiled
from kpinn.options import check_pinn
from kpinn.problem.arguments import At, Quantity
from kpinn.problem.points import first_rows, sets_of, widths_of

FIELDS, WAVES = 16, 3  # trial fields, and the waves that each is the mean of


def loss_weights(pinn, points) -> dict[str, float]:
    """Weights with which the losses of all conditions are about one, for residuals in any units.

    A residual in pascal per metre is a million times that in megapascal per metre, and a condition
    on a temperature is nothing beside it. The weight of a condition is one over its mean loss for
    16 trial fields: means of three plane waves with random directions and phases, and up to one
    period over the box of the points; between -1 and 1, or over the range that a field has in a
    `kpinn.layers.Scaled` of the network. They are the same in every call, and in other units the
    weights are such that the weighted losses stay what they were. The solution is not looked at,
    nothing is trained, and unknowns have their present values.

    Conditions that do not depend on the fields, such as a prior of an unknown, are left out: their
    weights stay one. A condition with equations of very different size side by side has one weight,
    which is that of the largest: make each a condition of its own.

    Args:
        pinn: a `kpinn.PINN`. If it is not compiled, losses are mean squares.
        points: of all conditions, as in `pinn.fit`, with targets and sample weights too.

    Returns:
        A dict from condition to number, for `compile(loss_weights=...)`.

    Raises:
        ValueError: for points that do not fit, and for losses of the trial fields that are zero or
            not finite, or whose inverse is not.

    Example:

        pinn = Heat(kpinn.layers.Scaled(kpinn.networks.MLP(), rod, fields={"T": (293, 373)}))
        pinn.compile("adam", loss_weights=kpinn.loss_weights(pinn, points))
    """
    check_pinn(pinn)
    data = pinn.prepare(points, every=True)
    if not all(layer.built for layer in all_layers(pinn)):  # what a condition calls has no weights
        pinn.call(first_rows(data).points)
    problem, losses = pinn.problem, pinn.objective.losses
    fields = _TrialFields(problem, data, _sizes(pinn))
    tried = problem.replaced(network=fields)

    def terms(data):
        return losses.terms(tried.residuals(data.points), data.targets, data.sample_weight)

    compute, found = Compiled().graph("losses", terms), []
    for number in range(FIELDS):
        fields.draw(number)
        found.append({name: abs(float(term)) for name, term in compute(data).items()})
    by_name = {name: [terms[name] for terms in found] for name in problem.conditions}
    asking = _asking(problem, data)
    chosen = [name for name, each in by_name.items() if name in asking and not _is_same(each)]
    return {name: _weight(name, by_name[name], problem.dtype) for name in chosen}


def _is_same(losses):
    """Whether the losses of a condition say that it does not depend on the fields."""
    return min(losses) == max(losses) > 0.0


def _weight(name, losses, dtype):
    """One over the mean of some losses of a condition."""
    size = sum(losses) / len(losses)
    weight = 1.0 / size if size > 0.0 else math.inf
    if not dtype.min < -weight < 0.0 or not math.isfinite(size):
        raise ValueError(
            f"condition {name!r} has the loss {size} for smooth fields of the size that is "
            "expected, which gives no weight. Give the ranges of the fields to "
            "kpinn.layers.Scaled, or other points; call kpinn.set_float64() first if its square is "
            f"too large or too small for {dtype.name}; or take kpinn.PINN.compile's "
            "loss_weights for this condition by hand."
        )
    return weight


def _asking(problem, data):
    """The names of the conditions that ask for a field, a set."""
    found = set()
    for names, arrays in sets_of(problem, data.points):
        for name in names:
            asked = problem.arguments_at(problem.conditions[name], widths_of(arrays))
            if any(isinstance(each, At | Quantity) for each in asked):
                found.add(name)
    return found


def _sizes(pinn):
    """The middle and half the range of each column of the fields of the network, `(m,)`."""
    fields, size = pinn.problem.names.network.fields, pinn.problem.names.network.output_size
    middle, half = np.zeros(size), np.ones(size)
    for layer in all_layers(pinn.network):
        for name, sizes in layer.field_sizes.items() if isinstance(layer, Scaled) else ():
            if name not in fields:
                raise ValueError(
                    f"{layer.name!r} has the field {name!r}, and the PINN {', '.join(fields)}: "
                    "call it the same in both."
                )
            middle[fields[name]], half[fields[name]] = sizes
    return middle, half


@independent
class _TrialFields:
    """Smooth fields in the place of a network, a function `(n, d) -> (n, m)`.

    Args:
        problem: the `Problem`.
        data: the `Data`, in the box of whose points they have up to a period.
        sizes: their middle and half their range, arrays `(m,)`.
    """

    def __init__(self, problem, data, sizes):
        self.columns, self.dtype = problem.space.input_size, problem.dtype
        low, high = _box(problem, data)
        half = np.where(high > low, (high - low) / 2.0, 1.0)
        self.box = [tf.constant(part, self.dtype) for part in (low + half, half)]
        self.middle, half = sizes
        mean = np.repeat(np.diag(half) / WAVES, WAVES, axis=0)
        self.mean = tf.constant(mean, self.dtype)
        self.kernel = tf.Variable(tf.zeros((self.columns, len(mean)), self.dtype), trainable=False)
        self.phases = tf.Variable(tf.zeros(len(mean), self.dtype), trainable=False)

    def draw(self, seed):
        """Draws other waves."""
        random = np.random.default_rng(seed)
        self.kernel.assign(random.uniform(-math.pi, math.pi, self.kernel.shape))
        self.phases.assign(random.uniform(0.0, 2.0 * math.pi, self.phases.shape))

    def __call__(self, points):
        """The fields `(n, m)`."""
        middle, half = self.box
        waves = tf.sin(tf.matmul((points - middle) / half, self.kernel) + self.phases)
        return tf.constant(self.middle, self.dtype) + tf.matmul(waves, self.mean)


def _box(problem, data):
    """The corners of the box of all points, `(d,)` each."""
    parts = []
    for _, arrays in sets_of(problem, data.points):
        columns = [np.asarray(arrays[name]) for name in problem.space.coordinates]
        rows = np.concatenate([column.reshape(len(column), -1) for column in columns], axis=1)
        parts += [rows.min(axis=0), rows.max(axis=0)]
    return np.min(parts, axis=0), np.max(parts, axis=0)
