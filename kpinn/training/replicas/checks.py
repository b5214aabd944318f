"""What a distribution strategy does not do, refused by name before the first step.

Where a subclass has a step of its own, Keras's loop divides a batch among the replicas, each of
which takes the mean over its points, and adds the gradients. So each takes its share of the loss,
see `Losses.total`, and the shares must be equal.
"""

import keras
import tensorflow as tf

from kpinn.backend.keras_private import made_under_strategy
from kpinn.derivatives.declarations import is_declared
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.sequence import Sequence
from kpinn.optimizers.stages import stages
from kpinn.problem import points as data
from kpinn.problem.points import sets_of, widths_of
from kpinn.training.arguments import listed
from kpinn.training.replicas.strategies import (
    by_keras,
    has_replicas,
    is_divided,
    overridden,
)
from kpinn.training.state import state_of

KINDS = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.OneDeviceStrategy,
    tf.distribute.TPUStrategy,
)
OWN = FlatOptimizer, ScipyOptimizer, Sequence


def check_compile(pinn, optimizer, jit_compile):
    """Raises `ValueError` for settings that a strategy cannot do with."""
    if made_under_strategy(pinn) and not isinstance(pinn.distribute_strategy, KINDS):
        raise ValueError(
            f"the model was made under {_name(pinn)}: expected one of "
            f"{', '.join(kind.__name__ for kind in KINDS)}."
        )
    if jit_compile is True and has_replicas(pinn):
        raise ValueError(
            f"jit_compile=True: the model was made under {_name(pinn)}, and XLA cannot read the "
            "variables of several devices. Leave it out, or make the model outside of the strategy."
        )
    for each, _ in stages(optimizer, 0):
        if not isinstance(each, OWN):  # those of kpinn update outside of any strategy
            _check_optimizer(pinn, each)


def _check_optimizer(pinn, optimizer):
    """Raises `ValueError` for an optimizer of Keras that cannot update the model."""
    if has_replicas(pinn) and isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = type(optimizer.inner_optimizer).__name__
        raise ValueError(
            f"LossScaleOptimizer updates in each replica of {_name(pinn)}, and kpinn once for all: "
            f"pass {inner}(..., loss_scale_factor=...) with a fixed factor, or make the model "
            "outside of the strategy."
        )
    extended = pinn.distribute_strategy.extended
    if all(extended.variable_created_in_scope(each.value) for each in optimizer.variables):
        return
    kind = type(optimizer).__name__
    if not made_under_strategy(pinn):
        raise ValueError(
            f"{kind} was made in the scope of a strategy, and the model outside of it: make both "
            "in the same scope."
        )
    raise ValueError(
        f"{kind} was not made in the scope of the {_name(pinn)} in which the model was made: make "
        f"it there, with strategy.scope(): optimizer = {kind}(...)."
    )


def refuse_keras_loop(pinn, method, instead):
    """Raises `ValueError` where Keras would make steps that kpinn divides."""
    if is_divided(pinn):
        raise ValueError(
            f"{method} is Keras's, which gives the whole batch to each replica of {_name(pinn)}: "
            f"call {instead}, which divides it, or make the model outside of the strategy."
        )


def check_fit(pinn, stream, callbacks):
    """Raises `ValueError` for a `fit` that is not right with a step of the subclass.

    Args:
        pinn: the `PINN`.
        stream: what yields the points, or `None` for arrays.
        callbacks: callbacks as they were given.
    """
    if not by_keras(pinn):
        return
    if isinstance(pinn.optimizer, OWN):
        _refuse(pinn, type(pinn.optimizer).__name__, "Use an optimizer of Keras")
    if state_of(pinn).settings.steps_per_execution not in (1, "auto") or pinn.run_eagerly:
        _refuse(pinn, "steps_per_execution and run_eagerly", "Leave them out of compile")
    for each in listed(callbacks):
        if getattr(each, "needs_points", False):
            _refuse(pinn, type(each).__name__, "Leave the callback out")
    if stream is not None:
        _check_stream(pinn, stream)


def check_sets(pinn, arrays):
    """Raises `ValueError` for points that Keras's loop cannot divide among the replicas.

    Args:
        pinn: the `PINN`.
        arrays: a `Data`, or `None` for points that are not known before.
    """
    if arrays is None or not by_keras(pinn):
        return
    if is_declared(pinn.problem.network):
        what = "a network that is declared independent, whose rows may need each other"
        _refuse(pinn, what, "Train it on one device")
    replicas, losses = pinn.distribute_strategy.num_replicas_in_sync, pinn.objective.losses
    for names, part in sets_of(pinn.problem, arrays.points):
        count = next(iter(part.values())).shape[0]
        if count % replicas:
            what = f"{count} points of condition {names[0]!r}, which have no equal shares"
            _refuse(pinn, what, f"Pass a multiple of {replicas}")
        for name in names:
            if pinn.problem.takes_together(name, widths_of(part)):
                what = f"condition {name!r}, which takes its points together"
                _refuse(pinn, what, "Train it on one device")
            if losses.reduction(name) not in ("sum", "sum_over_batch_size", "mean"):
                what = f"the reduction {losses.reduction(name)!r} of the loss of {name!r}"
                _refuse(pinn, what, "Take 'sum_over_batch_size'")


def _check_stream(pinn, stream):
    if not isinstance(stream, tf.data.Dataset):
        _refuse(pinn, f"points from a {type(stream).__name__}", "Pass a tf.data.Dataset")
    for spec in tf.nest.flatten(data.unpack(stream.element_spec)[0]):
        if spec.shape.rank and spec.shape[0] is None:
            what = "a dataset whose batches have no fixed number of points"
            _refuse(pinn, what, "Batch with drop_remainder=True")


def _refuse(pinn, what, advice):
    raise ValueError(
        f"{type(pinn).__name__} has a {overridden(pinn)} of its own, which Keras calls in each "
        f"replica of {_name(pinn)}: that is not right for {what}. {advice}, or make the model "
        "outside of the strategy."
    )


def _name(pinn):
    return type(pinn.distribute_strategy).__name__
