"""Whether a checkpoint is of the training that is to go on: the same model, problem and optimizer.

What makes a training is described as plain data when it begins, and compared when it goes on.
"""

import json
import warnings

import keras
import numpy as np
import tensorflow as tf

from kpinn.derivatives.errors import FAILURES
from kpinn.training.checkpoints.holders import global_random_state, set_global_random_state
from kpinn.training.state import state_of

ROWS = 4  # points of each set at which residuals are compared, at most
TOLERANCE = 1e-2


def description(pinn, arrays, schedule, is_stream):
    """What makes a training, a dict of plain data.

    Args:
        pinn: the `PINN`.
        arrays: the `Data` that `fit` was given, or the first element of a stream; or `None`.
        schedule: dict with `batch_size`, `steps_per_epoch` and `shuffle`.
        is_stream: whether `fit` was given a dataset or generator.
    """
    conditions = pinn.conditions
    found = {
        "coordinates": pinn.coordinates,
        "fields": pinn.fields,
        "conditions": {n: [a.name for a in f.arguments] for n, f in conditions.items()},
        "variables": [[list(v.shape), str(v.dtype), v.trainable] for v in pinn.variables],
        "network": _config(pinn.network),
        "optimizer": _config(pinn.optimizer),
        "loss": {name: _config(f) for name, f in state_of(pinn).settings.losses.functions.items()},
        "loss_weights": {name: float(v.numpy()) for name, v in pinn.loss_weights.items()},
        "schedule": {name: _plain(value) for name, value in schedule.items()},
    }
    if pinn.parameters is not None:
        found["parameters"] = pinn.parameters
    if not is_stream:
        found["points"] = _shapes(arrays)
        found["residuals at given weights"] = _residuals(pinn, arrays)
    return found


def _config(value):
    """The configuration of a Keras object without names, which Keras counts up."""
    kind = getattr(value, "__name__", type(value).__name__)
    try:
        with warnings.catch_warnings():  # of functions, which Keras would save as code
            warnings.simplefilter("ignore")
            return {"class": kind} | _plain(value.get_config())
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return {"class": kind}


def _plain(value):
    if isinstance(value, dict):
        if value.get("class_name") in ("__lambda__", "function"):
            return "function"
        return {str(k): _plain(v) for k, v in value.items() if k not in ("name", "build_config")}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bool | int | float | str | type(None)):
        return value
    if isinstance(value, np.ndarray | np.generic | tf.Tensor | keras.Variable | tf.Variable):
        return np.asarray(value).tolist()
    return _config(value)


def _shapes(arrays):
    """The shapes of points, targets and sample weights, and how streams are written."""
    parts = zip(("points", "targets", "sample weights"), arrays.parts, strict=True)
    found = {name: tf.nest.map_structure(lambda t: list(t.shape), part) for name, part in parts}
    streams = {" ".join(names): str(stream) for stream, names in arrays.streams}
    return found | ({"streams": streams} if streams else {})


def _residuals(pinn, arrays):
    """The size of each residual at points and weights that depend on their shapes only.

    It tells conditions and networks apart that differ in what they compute only. `None` if it is
    another one at each call, or cannot be computed at few points.
    """
    points = tf.nest.map_structure(_waves, arrays.points)
    variables = list(pinn.trainable_variables)
    before = [variable.numpy() for variable in variables], global_random_state()
    try:
        for variable in variables:
            steps = np.arange(1, variable.numpy().size + 1).reshape(variable.shape)
            variable.assign(0.7 * np.sin(steps))
        found = [_sizes(pinn.call(points)) for _ in range(2)]
    except FAILURES:  # of a condition that needs all its points, and says so in its own way
        return None
    finally:
        for variable, value in zip(variables, before[0], strict=True):
            variable.assign(value)
        set_global_random_state(before[1])
    return found[0] if not differences(*found) else None


def _waves(tensor):
    shape = (min(ROWS, tensor.shape[0]), *tensor.shape[1:])
    values = 0.5 + 0.3 * np.sin(np.arange(1, np.prod(shape) + 1))
    return tf.cast(values.reshape(shape), tensor.dtype)


def _sizes(residuals):
    found = {name: float(np.sqrt(np.mean(np.square(r)))) for name, r in residuals.items()}
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def differences(before, now, name=""):
    """Sentences about what differs in two descriptions."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        inner = [(f"{name}.{key}" if name else key, before[key], now[key]) for key in before]
        return [each for where, a, b in inner for each in differences(a, b, where)]
    both = isinstance(before, list) and isinstance(now, list) and len(before) == len(now)
    if both and all(isinstance(each, dict) for each in before + now):
        return differences(dict(enumerate(before)), dict(enumerate(now)), name)
    numbers = isinstance(before, float) and isinstance(now, float)
    if numbers and name.startswith("residuals"):
        same = abs(before - now) <= TOLERANCE * max(abs(before), abs(now), 1e-6)
    else:
        same = before == now
    return [] if same else [f"{name} was {_short(before)} and is {_short(now)}"]


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
