"""What a PINN keeps beside its weights, each thing in one place.

It is in plain dataclasses: Keras would track what is in lists and dicts as state of the model.
"""

import dataclasses
import math

import tensorflow as tf

from kpinn.objective.compiled import Compiled
from kpinn.objective.losses import Losses
from kpinn.objective.objective import Objective
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.result import MinimizeResult
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.stages import current
from kpinn.options import one_of
from kpinn.problem.points import Data
from kpinn.problem.problem import Problem
from kpinn.problem.reads import Reads
from kpinn.problem.residuals import draws
from kpinn.training.logs import Logs

POLICIES = ("raise", "stop", "rollback")  # for what is not finite


@dataclasses.dataclass
class Settings:
    """The arguments of `compile`.

    Attributes:
        loss: as it was given.
        metrics: as they were given.
        jit_choice: `jit_compile` as it was given.
        jit_compile: whether XLA compiles.
        steps_per_execution: as it was given.
        losses: the `Losses`.
        logs: the `Logs`.
        nonfinite: as it was given.
    """

    loss: object
    metrics: object
    jit_choice: bool | str
    jit_compile: bool
    steps_per_execution: int | str
    losses: Losses
    logs: Logs
    nonfinite: str = "raise"


@dataclasses.dataclass
class State:
    """The state of a PINN.

    Attributes:
        problem: the `Problem`; another one after an unknown was added, or scales have changed.
        reads: the `Reads` of its conditions.
        arguments: those of the constructor, by name; `None` while it runs.
        first_unknowns: names of the unknowns that the constructor added.
        settings: the `Settings`, `None` before `compile`.
        compiled: the compiled functions, thrown away when what they depend on has changed.
        objective: the `Objective` that they belong to, made when it is asked for.
        widths: dict from the arrays of the points of `fit` to their numbers of columns.
        training_data: the `Data` that `fit` trains on now.
        minimizing: whether a minimizer of scipy works, which needs the same loss throughout.
        adds_losses: whether layers of the network add losses when they are called.
        trained_elsewhere: variables that an overridden `train_step` trains.
        loop: what makes the steps: `"calls"` of the function of whole epochs, `"batches"` of
            Keras's loop, or `None`.
        trained: the variables that the optimizer was built for, `None` before.
        own_step: whether the `train_step` is overridden.
        failure: what was not finite when `fit` ended, a sentence, or `None`.
        start_loss: the loss before the first step of `fit`.
        result: how the last `fit` ended, a `MinimizeResult`.
        order_seed: seed of the orders of mini-batches in this `fit`.
        last_logs: those of the last epoch before this `fit` went on.
        replaying: whether callbacks hear of epochs that later ones have followed already.
        finished_fits: by the folder of a `Checkpoint`, how many calls of `fit` have ended.
    """

    problem: Problem
    reads: Reads
    adds_losses: bool = False
    arguments: dict | None = None
    first_unknowns: frozenset = frozenset()
    settings: Settings | None = None
    compiled: Compiled = dataclasses.field(default_factory=Compiled)
    objective: Objective | None = None
    widths: dict = dataclasses.field(default_factory=dict)
    training_data: Data | None = None
    minimizing: bool = False
    trained_elsewhere: tuple = ()
    loop: str | None = None
    trained: list | None = None
    own_step: bool = False
    failure: str | None = None
    start_loss: float = math.inf
    result: MinimizeResult | None = None
    order_seed: int = 0
    last_logs: dict = dataclasses.field(default_factory=dict)
    replaying: bool = False
    finished_fits: dict = dataclasses.field(default_factory=dict)


def state_of(pinn):
    """The `State` of a PINN, which only training and the PINN itself touch."""
    return pinn._state


def compiled_settings(pinn):
    """The `Settings`; `ValueError` before `compile`."""
    if state_of(pinn).settings is None:
        raise ValueError("compile the PINN first, for example pinn.compile('adam').")
    return state_of(pinn).settings


def step_number(pinn):
    """On which random directions depend; a minimizer keeps its objective as it is."""
    if not pinn.compiled or isinstance(current(pinn.optimizer), ScipyOptimizer | FlatOptimizer):
        return 0
    return tf.convert_to_tensor(current(pinn.optimizer).iterations)


def losses_of(problem, loss=None, weights=None):
    """The `Losses` of the conditions of a problem."""
    conditions = problem.conditions
    doubled = [name for name, f in conditions.items() if len(draws(f.method)) == 2]
    return Losses(list(conditions), loss, weights, problem.dtype.name, doubled)


def settings_of(problem, loss, weights, metrics, **rest):
    """The `Settings` of the arguments of `compile`."""
    one_of("nonfinite", rest["nonfinite"], POLICIES)
    losses = losses_of(problem, loss, weights)
    logs = Logs(list(problem.conditions), metrics, problem.dtype.name)
    return Settings(loss, metrics, losses=losses, logs=logs, **rest)
