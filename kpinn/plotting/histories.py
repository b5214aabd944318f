"""Pictures of trainings: losses, weights and unknowns against epochs."""

from collections.abc import Mapping

import numpy as np

from kpinn.backend import look
from kpinn.options.arrays import real_array
from kpinn.plotting import scales
from kpinn.plotting.panels import finished

RATES = ("learning_rate", "lr")  # schedules write these into the history; they are no losses


def history(history, path=None, unknowns=(), axes=None):
    """Draw the losses of a training, and the unknowns of an inverse problem beside them.

    The loss axis is logarithmic where all losses are positive. A value `val_...` is a dashed line
    in the colour of its partner; if there are fewer of them (`validation_freq`), they are spread
    evenly over the epochs. Learning rates are left out.

    Args:
        history: `keras.callbacks.History`, or a dict of lists.
        path: file to save to.
        unknowns: keys to draw on a second panel.
        axes: those to draw into, with unknowns a sequence of two; by default those of a new figure.

    Returns:
        The matplotlib axes; with unknowns an array `(2,)` of them.

    Raises:
        ImportError: if matplotlib is missing.
        TypeError, ValueError: if there is nothing to draw, an unknown is not in the history, or
            `axes` are not as many as the picture has.

    Example:
        >>> axes = plotting.history(pinn.fit(points, epochs=500), unknowns=["viscosity"])
        >>> axes[0].figure.savefig("history.png")
    """
    logs = _logs(history, unknowns)
    losses = {k: v for k, v in logs.items() if k not in unknowns and k not in RATES}
    count = 2 if unknowns else 1
    drawn = look.panels(5.2 * count, 3.6, (1, count)) if axes is None else look.given(axes, count)
    _lines(drawn[0], losses)
    scales.loss_axis(drawn[0], np.concatenate([*losses.values(), []]))
    drawn[0].set_ylabel("loss")
    if unknowns:
        _lines(drawn[1], {key: logs[key] for key in unknowns})
        drawn[1].set_ylabel("unknowns")
    return finished(drawn, path)


def _logs(history, unknowns):
    logs = getattr(history, "history", history)
    if not isinstance(logs, Mapping):
        raise TypeError(f"`history` must be a keras History or a dict of lists, got {history!r}.")
    if isinstance(unknowns, str):
        raise TypeError(f"`unknowns` must be a list of keys, as in [{unknowns!r}].")
    missing = [key for key in unknowns if key not in logs]
    if missing:
        raise ValueError(f"The history has no {missing}. It has {list(logs)}.")
    arrays = {key: real_array(f"history[{key!r}]", values) for key, values in logs.items()}
    logs = {key: values.astype("float64").ravel() for key, values in arrays.items()}
    if not any(len(values) for values in logs.values()):
        raise ValueError("The history is empty. Train for at least one epoch first.")
    return logs


def _lines(axes, logs):
    epochs = max((len(values) for values in logs.values()), default=0)
    partners = dict.fromkeys(key.removeprefix("val_") for key in logs)
    numbers = {key: i for i, key in enumerate(k for k in partners if k != "loss")}
    for key, values in logs.items():
        partner = key.removeprefix("val_")
        step, number = epochs // max(len(values), 1), numbers.get(partner)
        axes.plot(
            step * np.arange(1, len(values) + 1),
            values,
            label=key,
            color=look.EXACT if number is None else look.colour(number),
            linewidth=2.0 if partner == "loss" else 1.1,
            linestyle="--" if key != partner else look.dashes(number or 0),
            marker="." if len(values) == 1 else None,
        )
    look.grid_lines(axes)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if logs:
        look.legend(axes)
