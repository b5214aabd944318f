"""Pictures of trainings: losses, weights and unknowns against epochs."""

from collections.abc import Mapping

import numpy as np

from kpinn.backend import look
from kpinn.options.arrays import real_array
from kpinn.plotting import scales
from kpinn.plotting.panels import finished
from kpinn.training.every import WEIGHT

RATES = ("learning_rate", "lr")  # schedules write these into the history; they are no losses


def history(history, path=None, unknowns=(), weights=False, axes=None):
    """Draw the losses of a training, and loss weights and unknowns beside them.

    The loss axis is logarithmic where all losses are positive. A value `val_...` is a dashed line
    in the colour of its partner; if there are fewer of them (`validation_freq`), they are spread
    evenly over the epochs. Learning rates are left out. Loss weights are in it if a callback of
    kpinn has changed them.

    Args:
        history: `keras.callbacks.History`, or a dict of lists.
        path: file to save to.
        unknowns: keys to draw on a panel of their own. Other unknowns of a `History` are left out.
        weights: whether the loss weights of conditions are drawn, on a panel of their own.
        axes: those to draw into, a sequence of them where there are two or three panels; by default
            those of a new figure.

    Returns:
        The matplotlib axes; an array of them where there are two or three panels: losses, weights,
        unknowns.

    Raises:
        ImportError: if matplotlib is missing.
        TypeError, ValueError: if there is nothing to draw, an unknown or the weights are not in the
            history, or `axes` are not as many as the picture has.

    Example:
        >>> axes = plotting.history(pinn.fit(points, epochs=500), unknowns=["viscosity"])
        >>> axes[0].figure.savefig("history.png")
    """
    logs, model = _logs(history, unknowns), getattr(history, "model", None)
    others = [k for k in logs if k.split("[")[0] in getattr(model, "unknowns", ())]
    shown = {k: v for k, v in logs.items() if k in unknowns or k not in others}
    return finished(draw_logs(shown, unknowns, weights, axes), path)


def draw_logs(logs, unknowns, weights, axes=None, epochs=None):
    """Draws logs of a training; see `history`.

    Args:
        logs: dict from key to array of the values of all epochs.
        unknowns, weights, axes: as of `history`.
        epochs: numbers of the epochs, an array; by default they begin with one.

    Returns:
        Array of axes.
    """
    own = {k: v for k, v in logs.items() if k.startswith(WEIGHT) and k.removeprefix(WEIGHT) in logs}
    if weights and not own:
        raise ValueError(
            "The history has no loss weights: callbacks that change them, such as "
            "kpinn.callbacks.LossBalancing, write them into it."
        )
    losses = {k: v for k, v in logs.items() if k not in (*unknowns, *RATES, *own)}
    parts = {"loss": losses}
    if weights:
        parts["weight"] = {key.removeprefix(WEIGHT): values for key, values in own.items()}
    if unknowns:
        parts["unknowns"] = {key: logs[key] for key in unknowns}
    count = len(parts)
    size, shape = ((5.2, 8.4, 12.0)[count - 1], 3.4), (1, count)
    drawn = look.panels(*size, shape) if axes is None else look.given(axes, count)
    for each, (label, lines) in zip(drawn, parts.items(), strict=True):
        _lines(each, lines, losses, epochs)
        each.set_ylabel(label)
        if label == "loss" or scales.is_wide(lines.values()):
            scales.loss_axis(each, np.concatenate([*lines.values(), []]))
    return drawn


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


def _lines(axes, logs, known, epochs):
    """Draws curves against epochs; what is in `known` has the same colour everywhere."""
    count = max((len(values) for values in logs.values()), default=0)
    keys = known if set(logs) <= set(known) else logs
    partners = dict.fromkeys(key.removeprefix("val_") for key in keys)
    numbers = {key: i for i, key in enumerate(k for k in partners if k != "loss")}
    for key, values in logs.items():
        partner = key.removeprefix("val_")
        step, number = count // max(len(values), 1), numbers.get(partner)
        at = step * np.arange(1, len(values) + 1) if epochs is None else epochs
        if epochs is not None and key != partner:  # there is no validation in most epochs
            at, values = at[np.isfinite(values)], values[np.isfinite(values)]
        axes.plot(
            at,
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
