"""What is not yet right under a distribution strategy with several replicas, refused by name.

A batch is divided among the replicas, each of which takes the mean over its points; the gradients
are added. So each takes its share of the loss, see `Losses.total`, and the shares must be equal.
"""

import tensorflow as tf

from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.sequence import Sequence
from kpinn.problem import points as data
from kpinn.problem.points import sets_of, widths_of
from kpinn.training.arguments import listed
from kpinn.training.state import state_of

OWN = FlatOptimizer, ScipyOptimizer, Sequence


def check_fit(pinn, stream, callbacks):
    """Raises `ValueError` for a `fit` that is not yet right with several replicas.

    Args:
        pinn: the `PINN`, made under a strategy.
        stream: what yields the points, or `None` for arrays.
        callbacks: callbacks as they were given.
    """
    replicas, settings = pinn.distribute_strategy.num_replicas_in_sync, state_of(pinn).settings
    if replicas == 1:
        return
    if isinstance(pinn.optimizer, OWN):
        _refuse(replicas, type(pinn.optimizer).__name__, "Use an optimizer of Keras")
    if settings.jit_compile:
        _refuse(replicas, "XLA", "Leave out jit_compile=True")
    if settings.steps_per_execution not in (1, "auto") or pinn.run_eagerly:
        _refuse(replicas, "steps_per_execution and run_eagerly", "Leave them out of compile")
    for each in listed(callbacks):
        if getattr(each, "needs_points", False):
            _refuse(replicas, type(each).__name__, "Leave the callback out")
    if stream is not None:
        _check_stream(stream, replicas)


def check_sets(pinn, arrays):
    """Raises `ValueError` for points that cannot be divided among the replicas.

    Args:
        pinn: the `PINN`.
        arrays: a `Data`, or `None` for points that are not known before.
    """
    replicas, losses = pinn.distribute_strategy.num_replicas_in_sync, pinn.objective.losses
    for names, part in sets_of(pinn.problem, arrays.points) if arrays and replicas > 1 else ():
        count = next(iter(part.values())).shape[0]
        if count % replicas:
            raise ValueError(
                f"{count} points of condition {names[0]!r} cannot be divided among {replicas} "
                f"replicas, where each has as many: pass a multiple of {replicas}."
            )
        for name in names:
            if pinn.problem.takes_together(name, widths_of(part)):
                what = f"condition {name!r}, which takes its points together"
                _refuse(replicas, what, "Train it on one device")
            if losses.reduction(name) not in ("sum", "sum_over_batch_size", "mean"):
                what = f"the reduction {losses.reduction(name)!r} of the loss of {name!r}"
                _refuse(replicas, what, "Take 'sum_over_batch_size'")


def check_evaluation(pinn, arrays):
    """Raises `ValueError` for an `evaluate` that is not yet right with several replicas."""
    if pinn.compiled and pinn.distribute_strategy.num_replicas_in_sync > 1:
        check_sets(pinn, arrays)


def _check_stream(stream, replicas):
    if not isinstance(stream, tf.data.Dataset):
        _refuse(replicas, f"points from a {type(stream).__name__}", "Pass a tf.data.Dataset")
    for spec in tf.nest.flatten(data.unpack(stream.element_spec)[0]):
        if spec.shape.rank and spec.shape[0] is None:
            raise ValueError(
                f"the batches of the dataset have no fixed number of points, which {replicas} "
                "replicas need to have equal shares: batch with drop_remainder=True."
            )


def _refuse(replicas, what, advice):
    raise ValueError(
        f"not yet under a strategy with several replicas (here {replicas}): {what}. {advice}, or "
        "make the model outside of the strategy."
    )
