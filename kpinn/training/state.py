"""What a PINN keeps beside its weights, each thing in one place.

It is in plain dataclasses: Keras would track what is in lists and dicts as state of the model.
"""

import dataclasses

from kpinn.objective.compiled import Compiled
from kpinn.objective.losses import Losses
from kpinn.objective.objective import Objective
from kpinn.problem.points import Data
from kpinn.problem.problem import Problem
from kpinn.problem.reads import Reads
from kpinn.problem.residuals import draws
from kpinn.training.logs import Logs


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
    """

    loss: object
    metrics: object
    jit_choice: bool | str
    jit_compile: bool
    steps_per_execution: int | str
    losses: Losses
    logs: Logs


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


def losses_of(problem, loss=None, weights=None):
    """The `Losses` of the conditions of a problem."""
    conditions = problem.conditions
    doubled = [name for name, f in conditions.items() if len(draws(f.method)) == 2]
    return Losses(list(conditions), loss, weights, problem.dtype.name, doubled)


def settings_of(problem, loss, weights, metrics, jit_choice, jit, steps_per_execution):
    """The `Settings` of the arguments of `compile`."""
    losses = losses_of(problem, loss, weights)
    logs = Logs(list(problem.conditions), metrics, problem.dtype.name)
    return Settings(loss, metrics, jit_choice, jit, steps_per_execution, losses, logs)
