"""Which optimizer fits a problem, from what can be known before the training."""

import dataclasses
import typing

import keras
import tensorflow as tf

from kpinn.derivatives import Stochastic
from kpinn.networks import RandomFeatures
from kpinn.objective.compiled import Compiled
from kpinn.optimizers import LBFGS, SPRING, LevenbergMarquardt, Sequence, SSBroyden
from kpinn.options import check_pinn, function

DENSE, SQUARE = 2_000, 10_000  # most parameters for a matrix in each step, for one that is updated
SMOOTH = 3  # most coordinates for random features
PER_PARAMETER = 2  # residuals that are few for a parameter


class Recommendation(typing.NamedTuple):
    """What to train with, and why.

    Attributes:
        stages: list of pairs of an optimizer and its epochs, as `kpinn.optimizers.Sequence` takes.
        reasons: list of sentences.
    """

    stages: list
    reasons: list

    @property
    def optimizer(self):
        """For `compile`: the optimizer, or the `kpinn.optimizers.Sequence` of several."""
        return self.stages[0][0] if len(self.stages) == 1 else Sequence(self.stages)

    @property
    def epochs(self):
        """For `fit`: the epochs of all stages."""
        return sum(epochs for _, epochs in self.stages)

    def __str__(self):
        steps = [f"{type(each).__name__}, {epochs:,} epochs" for each, epochs in self.stages]
        return "\n".join(["; then ".join(steps), *(f"- {reason}" for reason in self.reasons)])


def recommend(pinn, points, print_fn=print):
    """Optimizers for a problem, by stage, and why; prints them.

    What counts is whether the equations are linear in the unknown function and the network in its
    parameters, which is proved from their graphs, the losses, the numbers of parameters and
    residuals, and the precision. Nothing is trained, and the solution is not looked at. The rules
    are those of the page on optimizers, whose tables say what they were measured on.

    Args:
        pinn: a `kpinn.PINN`. If it is not compiled, losses and weights are the defaults.
        points: of all conditions, as in `pinn.fit`, as arrays.
        print_fn: what is called with the text.

    Returns:
        A tuple of `stages` and `reasons`, with the attributes `optimizer` and `epochs`.

    Raises:
        ValueError: for anything else than a PINN, and points that do not fit.

    Example:

        found = kpinn.recommend(pinn, points)
        pinn.compile(found.optimizer)
        pinn.fit(points, epochs=found.epochs)
    """
    function("print_fn", print_fn, "print")
    check_pinn(pinn)
    facts = _facts(pinn, pinn.prepare(points, every=True))
    found = Recommendation(*_choice(facts))
    found.reasons.extend(_advice(facts))
    print_fn(str(found))
    return found


@dataclasses.dataclass(frozen=True)
class _Facts:
    """What is known of a problem.

    Attributes:
        parameters: number of trained parameters.
        residuals: number of residuals.
        columns: number of columns of the points.
        is_double: whether all is in float64.
        is_estimate: whether derivatives are random estimates.
        is_convex: whether the losses have a curvature that Gauss and Newton's method can take.
        is_linear: whether the conditions are linear in the fields.
        has_linear_network: whether the network is linear in its parameters.
    """

    parameters: int
    residuals: int
    columns: int
    is_double: bool
    is_estimate: bool
    is_convex: bool
    is_linear: bool
    has_linear_network: bool


def _facts(pinn, data):
    objective, problem = pinn.objective, pinn.problem
    residuals = problem.residuals(data.points, 0)
    return _Facts(
        objective.size,
        sum(tensor.shape.num_elements() for tensor in residuals.values()),
        problem.space.input_size,
        problem.dtype == tf.float64,
        any(isinstance(f.method, Stochastic) for f in problem.conditions.values()),
        _is_convex(objective, data),
        _is_linear(objective, data),
        objective.has_affine_network(),
    )


def _is_convex(objective, data):
    try:
        objective.check_weights(data)
        if objective.is_squares:
            objective.check_squares(data)
    except ValueError:
        return False
    return True


def _is_linear(objective, data):
    """Whether the conditions are linear in the fields: those of a network that is linear."""
    problem = objective.problem
    space, dtype = problem.space, problem.dtype.name
    network = RandomFeatures(2, space.output_size, scale=1.0, seed=0, dtype=dtype)
    network.build((None, space.input_size))
    other = dataclasses.replace(
        objective,
        problem=problem.replaced(network=lambda points: network(points, training=False)),
        variables=network.trainable_variables,
        compiled=Compiled(),
    )
    return other.is_affine(data)


def _choice(facts):
    """Stages, and a list with the reason."""
    p = facts.parameters
    if facts.is_estimate:
        reason = "derivatives are random estimates: steps from gradients average over them"
        return [(keras.optimizers.Adam(1e-3), 10_000)], [f"{reason}."]
    if facts.is_convex and facts.has_linear_network and p <= DENSE:
        steps = "one step, a least-squares problem" if facts.is_linear else "a few steps"
        reason = f"the network is linear in its {p:,} parameters: {steps}, to rounding"
        return [(LevenbergMarquardt(), 50)], [f"{reason}."]
    if facts.is_convex and p <= DENSE:
        reason = f"{p:,} parameters: a Jacobian for each step is worth its time, down to rounding"
        return [(LevenbergMarquardt(), 300)], [f"{reason}."]
    if p <= SQUARE:
        reason = f"{p:,} parameters: an approximate inverse Hessian of that size is kept"
        return [(keras.optimizers.Adam(1e-3), 1_000), (SSBroyden(), 5_000)], [f"{reason}."]
    if facts.is_convex and facts.residuals < p:
        reason = f"{p:,} parameters and fewer residuals, {facts.residuals:,}"
        return [(SPRING(), 2_000)], [f"{reason}: a Gauss-Newton step by the residuals."]
    reason = f"{p:,} parameters are too many for a matrix"
    return [(keras.optimizers.Adam(1e-3), 2_000), (LBFGS(), 5_000)], [f"{reason}."]


def _advice(facts):
    """Sentences on what could be better."""
    if not facts.is_double:
        yield (
            "Call kpinn.set_float64() before the network is made: in float32 methods with "
            "curvature end early, at the rounding of the derivatives."
        )
    if facts.is_linear and not facts.has_linear_network and facts.columns <= SMOOTH:
        yield (
            "The conditions are linear in the unknown functions: if the solution is smooth, "
            "kpinn.networks.RandomFeatures(1_000) reaches rounding in seconds. A trained MLP gains "
            "from LevenbergMarquardt(project='last')."
        )
    few = facts.residuals < PER_PARAMETER * facts.parameters
    if few and not facts.is_estimate:
        yield (
            f"{facts.residuals:,} residuals are few for {facts.parameters:,} parameters: take more "
            "points, or kpinn.callbacks.ResidualSampling, else the network may be right at the "
            "points alone."
        )
