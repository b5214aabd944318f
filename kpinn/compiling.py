"""Training, and what else XLA compiles, goes on without XLA where XLA cannot compile it."""

import warnings

import tensorflow as tf

_ERRORS = tf.errors.InternalError, tf.errors.InvalidArgumentError, tf.errors.UnimplementedError


def with_xla_if_possible(pinn, run):
    """What `run()` returns, without XLA from now on if XLA fails to compile it.

    Only where `compile` has chosen XLA by itself (`jit_compile="auto"`), and before the first step:
    then nothing has changed yet.

    Args:
        pinn: the `PINN`, compiled.
        run: a function that may be called again from the start.
    """
    before = _steps(pinn)
    try:
        return run()
    except _ERRORS as error:
        chosen = pinn._plain.jit_compile and pinn._plain.jit_auto
        reason = _reason(error)
        if not chosen or reason is None or _steps(pinn) != before:
            raise
    warnings.warn(
        f"XLA cannot compile this model, which runs without it from now on ({reason}). With "
        "compile(jit_compile=False), or supports_jit = False on the layer, it is not tried.",
        stacklevel=4,
    )
    _without_xla(pinn)
    return run()


def _reason(error):
    """A line of the message of an error of XLA; `None` for other errors."""
    lines = str(error).splitlines()
    found = next((line for line in lines if "XLA" in line), None)
    if found is None and isinstance(error, tf.errors.InternalError):  # of what XLA was given
        found = lines[0]
    return found and found.partition("{{")[0].strip()


def _steps(pinn):
    return int(pinn._at_work().iterations)


def _without_xla(pinn):
    pinn.jit_compile = pinn._plain.jit_compile = False
    pinn.train_function = pinn.test_function = pinn.predict_function = None
    pinn._plain.functions.clear()
