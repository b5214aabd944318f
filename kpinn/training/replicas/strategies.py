"""Which distribution strategies there are for a training, and whose loop makes the steps."""

import contextlib

import tensorflow as tf

from kpinn.backend.keras_private import made_under_strategy
from kpinn.training.replicas import scopes

STEPS = "call", "compute_loss", "compute_metrics", "test_step", "train_step"


def has_replicas(pinn):
    """Whether a PINN was made under a strategy that makes a copy of it for each replica."""
    found = made_under_strategy(pinn)
    return found and not isinstance(pinn.distribute_strategy, tf.distribute.OneDeviceStrategy)


def is_divided(pinn):
    """Whether kpinn's own loop divides the steps among replicas."""
    return has_replicas(pinn) and overridden(pinn) is None


def by_keras(pinn):
    """Whether Keras's loop makes each step in every replica, as `overridden` asks for."""
    return has_replicas(pinn) and overridden(pinn) is not None


def overridden(pinn):
    """The first method of a step that a subclass has of its own, or `None`.

    Such a step is made by Keras's loop, which calls it in each replica.
    """
    usual = next(kind for kind in type(pinn).__mro__ if kind.__module__ == "kpinn.pinn")
    own = (name for name in STEPS if getattr(type(pinn), name) is not getattr(usual, name))
    return next(own, None)


def scope_of(pinn):
    """A block in which the strategy of a PINN is the present one, if it has one."""
    if not made_under_strategy(pinn):
        return contextlib.nullcontext()
    return scopes.within(pinn.distribute_strategy, is_divided(pinn))
