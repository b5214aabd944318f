"""Whether propagations carry channels with a row for each point."""

import contextlib
import contextvars

_per_point = contextvars.ContextVar("per_point", default=False)


@contextlib.contextmanager
def channels_per_point():
    """Within it, propagations carry channels with a row for each point.

    A channel that is the same for all points is otherwise one row, whose gradient is a sum.
    """
    token = _per_point.set(True)
    try:
        yield
    finally:
        _per_point.reset(token)


def wants_channels_per_point():
    """Whether a propagation runs within `channels_per_point`."""
    return _per_point.get()
