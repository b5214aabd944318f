"""How the channels of propagations have to be: a row for each point, no tapes in their place."""

import contextlib
import contextvars

_per_point = contextvars.ContextVar("per_point", default=False)
_only = contextvars.ContextVar("only", default=False)


def channels_per_point():
    """Within it, propagations carry channels with a row for each point, and no tapes run.

    A channel that is the same for all points is otherwise one row, whose gradient is a sum.
    """
    return _set(_per_point)


def channels_only():
    """Within it, `"auto"` is `"taylor"`: where what is computed is differentiated or looked at."""
    return _set(_only)


@contextlib.contextmanager
def _set(variable):
    token = variable.set(True)
    try:
        yield
    finally:
        variable.reset(token)


def wants_channels_per_point():
    """Whether a propagation runs within `channels_per_point`."""
    return _per_point.get()


def wants_channels_only():
    """Whether a propagation runs within `channels_only` or `channels_per_point`."""
    return _only.get() or _per_point.get()
