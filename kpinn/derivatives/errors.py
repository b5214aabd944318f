"""What the engine says when it cannot, or must not, propagate derivatives."""

import tensorflow as tf

FAILURES = (  # of functions of users, where they are tried on numbers or shapes of ours
    *(ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError),
    *(AttributeError, AssertionError, RuntimeError, tf.errors.OpError),
)


class DerivativeFallbackWarning(UserWarning):
    """The exact derivatives are computed in a slower way; the message says because of what."""


class CustomGradientWarning(UserWarning):
    """A network has a custom gradient that is not the derivative of its values."""


class UnsupportedError(Exception):
    """An operation through which derivatives cannot be propagated; another method may do it."""


class RefusedError(ValueError):
    """An operation through which there are no derivatives at a point, by whatever method."""

    __init__ = Exception.__init__  # by which AutoGraph knows that it can be raised again as it is


class LostError(RefusedError):
    """An operation whose derivatives gradient tapes take for zero, because TensorFlow has none."""


def refuse_complex(dtype, what, parts):
    """Raises `RefusedError` for complex numbers, whose imaginary part would be lost.

    Args:
        dtype: a `tf.DType`.
        what: that has it.
        parts: what the real and the imaginary part may be in its place.
    """
    if dtype.is_complex:
        raise RefusedError(
            f"{what} is {dtype.name}: derivatives and losses are of real numbers, and the "
            f"imaginary part would be lost. Make {parts} of tf.math.real(z) and tf.math.imag(z)."
        )


def refuse_complex_output(outputs):
    """The same for the outputs of a function."""
    refuse_complex(outputs.dtype, "the output of the function", "two fields")


def describe(operation):
    """An operation and where it is: `"Cumprod (custom_layer/Cumprod)"`."""
    return f"{operation.type} ({operation.name})"
