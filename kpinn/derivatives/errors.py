"""What the engine says when it cannot, or must not, propagate derivatives."""


class DerivativeFallbackWarning(UserWarning):
    """The exact derivatives are computed in a slower way; the message says because of what."""


class UnsupportedError(Exception):
    """An operation through which derivatives cannot be propagated; another method may do it."""


class RefusedError(ValueError):
    """An operation through which there are no derivatives at a point, by whatever method."""

    __init__ = Exception.__init__  # by which AutoGraph knows that it can be raised again as it is


class LostError(RefusedError):
    """An operation whose derivatives gradient tapes take for zero, because TensorFlow has none."""


def describe(operation):
    """An operation and where it is: `"Cumprod (custom_layer/Cumprod)"`."""
    return f"{operation.type} ({operation.name})"
