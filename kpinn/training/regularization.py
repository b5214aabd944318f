"""The losses of layers, which are part of the loss of `fit` and `evaluate` as in Keras."""

import tensorflow as tf

from kpinn.backend.keras_private import clear_losses, own_losses
from kpinn.derivatives.columns import as_columns, join_points
from kpinn.derivatives.keras_private import all_layers
from kpinn.problem.points import sets_of
from kpinn.training.state import state_of


def losses_of_regularizers(pinn):
    """The losses of the regularizers of weights, a list of scalar tensors."""
    return [v.regularizer(v) for v in pinn.trainable_weights if v.regularizer is not None]


def regularization(pinn, points):
    """The losses of regularizers, and those that the layers of the network add for activities.

    Derivatives are propagated through a graph of the network, where what `add_loss` is given cannot
    be used. So the network is evaluated once more, on all the points of a step, if it adds losses.

    Args:
        pinn: the `PINN`.
        points: as in a `Data`.

    Returns:
        A list of scalar tensors.
    """
    losses = losses_of_regularizers(pinn)
    if not state_of(pinn).adds_losses:
        return losses
    problem, columns = pinn.problem, []
    for _, arrays in sets_of(problem, points):
        arrays = {name: arrays[name] for name in problem.space.coordinates}
        columns.append(join_points(as_columns(arrays, problem.space, problem.dtype), problem.space))
    clear_losses(pinn.network)
    problem.network(tf.concat(columns, axis=0))
    added = [loss for layer in all_layers(pinn.network) for loss in own_losses(layer)]
    clear_losses(pinn.network)
    return losses + added


def refuse_losses_in_conditions(pinn):
    """Raises `ValueError` for layers beside the network that have added losses in a condition."""
    network = {id(layer) for layer in all_layers(pinn.network)}
    beside = [layer for layer in all_layers(pinn) if id(layer) not in network]
    others = [layer.name for layer in beside if own_losses(layer)]
    if others:
        raise ValueError(
            f"the layer {others[0]!r} adds a loss where a condition calls it. Return what is to be "
            "small from a condition of its own, with the loss kpinn.losses.Mean()."
        )
