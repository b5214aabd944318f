"""What becomes of compiled functions when that which they were compiled from changes.

A PINN has one `Compiled` and the `Objective` that belongs to it. Both are thrown away when the
problem, the losses or the trained variables are others, or something has changed that a condition
has read while it was compiled; they are made again when they are asked for.
"""

import weakref

import keras
import tensorflow as tf

from kpinn.derivatives.declarations import is_declared
from kpinn.objective.compiled import Compiled
from kpinn.objective.objective import Objective
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.stages import current, stages
from kpinn.problem import refusals
from kpinn.training.regularization import regularization
from kpinn.training.replicas.objective import DividedObjective
from kpinn.training.replicas.strategies import is_divided
from kpinn.training.state import losses_of, state_of
from kpinn.training.trained import refuse_others

KNOWN = weakref.WeakSet()  # all PINNs: a solution that another one's condition reads is not trained


def objective(pinn):
    """The `Objective` of a PINN as it is now."""
    notice(pinn)
    state, variables = state_of(pinn), list(pinn.trainable_variables)
    known = state.objective
    if known is not None and list(map(id, known.variables)) != list(map(id, variables)):
        if state.loop is not None:
            refuse_others(pinn, variables)
        forget_compiled(pinn)
    if state.objective is None:
        parts = (
            state.problem,
            state.settings.losses if state.settings else losses_of(state.problem),
            variables,
            lambda points: regularization(pinn, points),
            state.compiled,
            lambda found: refuse_untrained(pinn, found),
            state.adds_losses or is_declared(state.problem.network),
        )
        if is_divided(pinn):
            state.objective = DividedObjective(*parts, pinn.distribute_strategy)
        else:
            state.objective = Objective(*parts)
    return state.objective


def notice(pinn):
    """Throws compiled functions away if what they have read while traced has changed.

    Not while a function is traced, which is made of what it has read so far.

    Raises:
        ValueError: for a change while a minimizer works.
    """
    if not tf.executing_eagerly():
        return
    changed, stale = state_of(pinn).reads.refresh()
    if stale:
        forget_compiled(pinn)
    if changed and pinn.compiled:
        refuse_changes(pinn, "values that conditions read")
        another_loss(pinn)


def another_loss(pinn):
    """Tells an optimizer that remembers its last loss that the loss is another function now."""
    for optimizer, _ in stages(pinn.optimizer, 0):
        if isinstance(optimizer, FlatOptimizer) and optimizer.built:
            optimizer.stale.assign(True)


def refuse_changes(pinn, what):
    """Raises `ValueError` while a minimizer works, which needs the same loss throughout."""
    if state_of(pinn).minimizing:
        raise ValueError(
            f"{type(current(pinn.optimizer)).__name__} needs the same {what} in each iteration: "
            "replace them between two calls of fit or before its first epoch, or use an "
            "optimizer that works in steps, such as kpinn.optimizers.SSBroyden."
        )


def forget_compiled(pinn):
    """Throws compiled functions away, those of Keras too."""
    state = state_of(pinn)
    jit = state.settings is not None and state.settings.jit_compile
    state.compiled = Compiled(bool(pinn.compiled and pinn.run_eagerly), jit)
    state.objective = None
    if pinn.train_function is not None:  # a running fit asks for it again in each step
        pinn.make_train_function(force=True)
    if pinn.test_function is not None:
        pinn.make_test_function(force=True)
    if pinn.predict_function is not None:
        pinn.make_predict_function(force=True)


def replace_problem(pinn, **changes):
    """Gives a PINN the same problem with other unknowns or scales."""
    state_of(pinn).problem = pinn.problem.replaced(**changes)
    forget_compiled(pinn)


def set_scales(pinn, scales):
    """Sets the scales of the coordinates, which compiled functions hold as constants."""
    if scales != pinn.problem.scales:
        replace_problem(pinn, scales=scales)


def refuse_untrained(pinn, variables):
    """Raises `ValueError` for variables that the loss reads and nothing trains."""
    own = _parts(pinn.variables)  # those that their layers have frozen too
    others = [variable for variable in variables if id(variable) not in own]
    if others:
        frozen = [v for other in KNOWN if other is not pinn for v in other.variables]
        frozen = _parts([*frozen, *state_of(pinn).trained_elsewhere])
        refusals.refuse_untrained([v for v in others if id(v) not in frozen])


def _parts(variables):
    """The ids of TensorFlow's variables, also of those of each replica of a strategy."""
    raw = [v.value if isinstance(v, keras.Variable) else v for v in variables]
    return {id(part) for variable in raw for part in (variable, *getattr(variable, "values", ()))}
