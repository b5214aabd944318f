"""What trains on points that each step draws anew, and what cannot."""

from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.stages import stages


def check_streams(pinn, data, schedule, runs_on_arrays):
    """Raises `ValueError` for a `fit` that has no use for streams.

    Args:
        pinn: the `PINN`.
        data: a `Data` with streams.
        schedule: dict with `batch_size`, `steps_per_epoch` and `shuffle`.
        runs_on_arrays: whether kpinn's own loop makes the steps.
    """
    stream = data.streams[0][0]
    if not runs_on_arrays:
        raise ValueError(
            f"{stream} is drawn inside kpinn's own step, not by a train_step of your own: pass "
            "arrays, or a tf.data.Dataset that draws."
        )
    for optimizer, _ in stages(pinn.optimizer, 0):
        if isinstance(optimizer, ScipyOptimizer):
            raise ValueError(
                f"{type(optimizer).__name__} needs the same points in each iteration, and those of "
                f"{stream} are others in each step: pass arrays, such as sample({stream.n}), or "
                "use an optimizer that works in steps, such as kpinn.optimizers.LBFGS."
            )
    sizes, names = schedule["batch_size"], list(pinn.conditions)
    streamed = set(names) - set(data.in_memory(names))
    found = streamed & sizes.keys() if isinstance(sizes, dict) else streamed == set(names)
    if sizes is not None and found:
        raise ValueError(
            f"batch_size={sizes} is for arrays, and a step takes all the points that a stream "
            f"draws, which are those of {', '.join(sorted(streamed))}: leave them out of it."
        )
