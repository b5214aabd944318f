"""Which variables an optimizer trains, and whether it has a rate that a callback may set."""

import functools

import keras

from kpinn.backend.strategies import without_strategy
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.stages import stages
from kpinn.training.arguments import listed
from kpinn.training.state import state_of

RATE_CALLBACKS = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau


def build_optimizer(pinn):
    """Builds the optimizer for the variables that are trained now, which it keeps to from then on.

    Raises:
        ValueError: if it was built for others.
    """
    for optimizer, _ in stages(pinn.optimizer, 0):
        if isinstance(optimizer, FlatOptimizer) and not optimizer.built:
            without_strategy(functools.partial(optimizer.build, pinn.trainable_variables))
    if not pinn.optimizer.built:
        with pinn.distribute_strategy.scope():  # its variables belong there
            pinn.optimizer.build(pinn.trainable_variables)
    if state_of(pinn).trained is None:
        state_of(pinn).trained = list(pinn.trainable_variables)
    refuse_others(pinn, pinn.trainable_variables)


def refuse_others(pinn, variables):
    """Raises `ValueError` for other variables than the optimizer was built for."""
    known = {id(variable): variable for variable in state_of(pinn).trained or variables}
    now = {id(variable): variable for variable in variables}
    if known.keys() != now.keys():
        others = [f"{v.path!r} thawed" for key, v in now.items() if key not in known]
        others += [f"{v.path!r} frozen" for key, v in known.items() if key not in now]
        raise ValueError(
            f"{', '.join(others)} since {type(pinn.optimizer).__name__} began: compile again after "
            "layers were frozen or thawed, with a new optimizer."
        )


def check_rates(pinn, callbacks, first, epochs):
    """Raises `ValueError` for a callback of the learning rate where an optimizer has none.

    Args:
        pinn: the `PINN`.
        callbacks: callbacks as they were given.
        first: the first epoch.
        epochs: the number of the last.
    """
    found = [type(each).__name__ for each in listed(callbacks) if isinstance(each, RATE_CALLBACKS)]
    begin = first
    for optimizer, last in stages(pinn.optimizer, epochs) if found else ():
        flat = isinstance(optimizer, FlatOptimizer) and not optimizer.has_rate
        if begin < last and (flat or isinstance(optimizer, ScipyOptimizer)):
            raise ValueError(
                f"{found[0]} sets the learning rate, which {type(optimizer).__name__} does not "
                "have: it finds the length of a step by itself. Leave the callback out; a stage of "
                "a Sequence takes a schedule of its own, keras.optimizers.Adam(schedule)."
            )
        begin = max(begin, last)
