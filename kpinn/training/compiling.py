"""Whether XLA compiles a PINN; where it fails to, the PINN goes on without it."""

import warnings

import tensorflow as tf

from kpinn.derivatives.keras_private import all_layers
from kpinn.optimizers.stages import current
from kpinn.training.changes import forget_compiled
from kpinn.training.replicas.strategies import has_replicas
from kpinn.training.state import state_of

_ERRORS = tf.errors.InternalError, tf.errors.InvalidArgumentError, tf.errors.UnimplementedError


def may_use_xla(pinn):
    """Whether its layers support XLA; where a strategy has replicas it is left out."""
    return all(layer.supports_jit for layer in all_layers(pinn)) and not has_replicas(pinn)


def with_xla_if_possible(pinn, run, stream=None):
    """What `run()` returns, without XLA from now on if XLA fails to compile it.

    Only where `compile` has chosen XLA by itself (`jit_compile="auto"`), and before the first step:
    then nothing has changed yet.

    Args:
        pinn: the `PINN`.
        run: a function that may be called again from the start.
        stream: what it reads; for a generator, which has no second start, an error stays one.
    """
    settings = state_of(pinn).settings
    chosen = settings is not None and settings.jit_compile and settings.jit_choice == "auto"
    if not chosen or hasattr(stream, "__next__"):
        return run()
    before = _steps(pinn)
    try:
        return run()
    except _ERRORS as error:
        reason = _reason(error)
        if reason is None or _steps(pinn) != before:
            raise
    warnings.warn(
        f"XLA cannot compile this model, which runs without it from now on ({reason}). With "
        "compile(jit_compile=False), or supports_jit = False on the layer, it is not tried.",
        stacklevel=4,
    )
    pinn.jit_compile = settings.jit_compile = False
    forget_compiled(pinn)
    return run()


def _reason(error):
    """A line of the message of an error of XLA; `None` for other errors."""
    lines = str(error).splitlines()
    found = next((line for line in lines if "XLA" in line), None)
    if found is None and isinstance(error, tf.errors.InternalError):  # of what XLA was given
        found = lines[0]
    return found and found.partition("{{")[0].strip()


def _steps(pinn):
    return int(current(pinn.optimizer).iterations.numpy())
