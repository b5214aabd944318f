"""Which optimizer works when; one that is no `Sequence` is a single stage."""

from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.sequence import Sequence


def stages(optimizer, epochs):
    """Pairs of an optimizer and the epoch before which it ends.

    Args:
        optimizer: a `Sequence` or any other optimizer.
        epochs: number of the last epoch.
    """
    if not isinstance(optimizer, Sequence):
        return [(optimizer, epochs)]
    found, last = [], 0
    for stage, count in optimizer.stages:
        last += count
        found.append((stage, min(last, epochs)))
    found[-1] = (found[-1][0], epochs)
    return found


def current(optimizer):
    """The optimizer that works now: that of the present stage of a `Sequence`."""
    return optimizer.present() if isinstance(optimizer, Sequence) else optimizer


def enter(optimizer, stage):
    """Begins the stage of an optimizer."""
    if isinstance(optimizer, Sequence):
        optimizer.enter(stage)


def has_ended(optimizer):
    """Whether the optimizer that works now can go no further."""
    at_work = current(optimizer)
    return isinstance(at_work, FlatOptimizer) and at_work.has_ended()
