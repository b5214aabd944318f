"""Which distribution strategies there are for a training, and whose loop makes the steps."""

import concurrent.futures
import contextlib

import tensorflow as tf

from kpinn.backend.keras_private import made_under_strategy

KINDS = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.OneDeviceStrategy,
    tf.distribute.TPUStrategy,
)
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


def check_kind(pinn):
    """Raises `ValueError` for a strategy that nothing is known of."""
    strategy = pinn.distribute_strategy
    if made_under_strategy(pinn) and not isinstance(strategy, KINDS):
        raise ValueError(
            f"the model was made under {type(strategy).__name__}: expected one of "
            f"{', '.join(kind.__name__ for kind in KINDS)}."
        )


@contextlib.contextmanager
def scope_of(pinn):
    """A block in which the strategy of a PINN is the present one, if it has one."""
    if not made_under_strategy(pinn):
        yield
        return
    strategy = pinn.distribute_strategy
    with contextlib.ExitStack() as stack:
        stack.enter_context(strategy.scope())
        stack.enter_context(tf.device(strategy.extended.worker_devices[0]))
        if is_divided(pinn):
            stack.enter_context(tf.variable_creator_scope(_updated_once))
        yield


def _updated_once(create, **arguments):
    """A variable of a metric, which Keras wants to be another one in each replica."""
    if arguments.get("synchronization") == tf.VariableSynchronization.ON_READ:
        arguments["synchronization"] = tf.VariableSynchronization.AUTO
    return create(**arguments)


def without_strategy(function):
    """Calls a function outside of any strategy, where variables have no copies for replicas.

    A strategy is the present one of a thread, so another thread has none.
    """
    if not tf.distribute.has_strategy():
        return function()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result()
