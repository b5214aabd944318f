"""`PINN.fit` and `PINN.evaluate`: what is checked before the first step, and which loop runs."""

import keras
import tensorflow as tf

from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.tensorflow_private import VariableWatcher
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.sequence import Sequence
from kpinn.optimizers.stages import stages
from kpinn.problem import points as data
from kpinn.problem import refusals
from kpinn.training import changes
from kpinn.training import epochs as loops
from kpinn.training.compiling import with_xla_if_possible
from kpinn.training.flat import flat_functions
from kpinn.training.regularization import refuse_losses_in_conditions

CHUNK = 2**14  # points that are evaluated at a time before the first step
NOT_POINTWISE = (
    keras.layers.AlphaDropout,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)


def fit(pinn, usual_step, given, schedule, settings):
    """Trains; see `PINN.fit`.

    Args:
        pinn: the `PINN`.
        usual_step: `PINN.train_step`, to know whether it is overridden.
        given: tuple of points, targets and sample weights.
        schedule: dict with `batch_size`, `steps_per_epoch` and `shuffle`.
        settings: dict of the other arguments of `keras.Model.fit`.

    Returns:
        A `keras.callbacks.History`.
    """
    _check_settings(pinn, settings)
    settings = settings | {"validation_data": _validation(pinn, settings["validation_data"])}
    x, steps = given[0], schedule["steps_per_epoch"]
    if data.is_stream(x):
        _check_stream(pinn, x)
        shuffle = schedule["shuffle"] and isinstance(x, keras.utils.PyDataset)
    else:
        arrays = pinn.prepare(*given, every=True)
        _check_start(pinn, arrays)
        if loops.runs_on_arrays(pinn, usual_step):
            loops.fit(pinn, arrays, loops.Schedule(arrays, **schedule), **settings)
            return pinn.history
        x, steps, shuffle = data.as_dataset(arrays, schedule["batch_size"]), steps or 1, False
    return loops.fit_by_keras(pinn, x, steps_per_epoch=steps, shuffle=shuffle, **settings)


def evaluate(pinn, x, y, batch_size, sample_weight, arguments):
    """Losses at points; see `PINN.evaluate`."""
    pinn._require_compiled()
    if data.is_stream(x):
        check_stream(pinn, x, every=False)
    else:
        x = data.as_dataset(pinn.prepare(x, y, sample_weight), repeat=False)
        y = batch_size = sample_weight = None
    arguments = {"y": y, "batch_size": batch_size, "sample_weight": sample_weight} | arguments
    return with_xla_if_possible(pinn, lambda: keras.Model.evaluate(pinn, x, **arguments), x)


def _validation(pinn, points):
    if points is None:
        return None
    if data.is_stream(points):
        check_stream(pinn, points, every=False)
        return points
    return data.as_dataset(pinn.prepare(points), repeat=False)


def _check_settings(pinn, settings):
    """Raises `ValueError` for settings of `fit` and layers that make no sense for points."""
    pinn._require_compiled()
    split, class_weight = settings.pop("validation_split"), settings.pop("class_weight")
    if split not in (None, 0.0) or class_weight is not None:
        raise ValueError(
            "validation_split and class_weight have no meaning for sets of points: pass "
            "validation_data, or sample_weight by condition."
        )
    if not pinn.trainable_variables:
        raise ValueError(f"{pinn.name!r} has no trainable variable: all its layers are frozen.")
    random = [
        layer.name
        for layer in all_layers(pinn.network)
        if isinstance(layer, NOT_POINTWISE) and layer.trainable
    ]
    if random:
        raise ValueError(
            f"the network has {', '.join(random)}: dropout, noise and batch statistics have no "
            "pointwise derivative, and without them the layer does nothing in training. Leave the "
            "layer out, or set trainable = False to use it as in inference."
        )
    refusals.refuse_wrong_derivatives(pinn.problem, 1)


def _check_stream(pinn, stream):
    """Checks the first element of a dataset; what cannot be read twice is left alone."""
    if isinstance(pinn.optimizer, ScipyOptimizer | Sequence):
        raise ValueError(
            f"{type(pinn.optimizer).__name__} needs points in memory: pass arrays, not "
            f"{type(stream).__name__}."
        )
    arrays = check_stream(pinn, stream, every=True)
    if arrays is not None:
        _check_start(pinn, arrays)
    else:
        _build_optimizer(pinn)


def check_stream(pinn, stream, every):
    """The first element of a dataset as a `Data`, checked; `None` for what cannot be read twice."""
    element = data.first_element(stream)
    return None if element is None else pinn.prepare(*element, every=every)


def _check_start(pinn, arrays):
    """Evaluates once before training; builds metrics and optimizer before the first trace."""
    _remember(pinn, arrays)
    for optimizer, _ in stages(pinn.optimizer, 0):
        _check_losses(pinn.objective, arrays, optimizer)
    with VariableWatcher() as watcher:
        residuals = _residuals(pinn, arrays)
    changes.refuse_untrained(pinn, watcher.watched_variables())
    refuse_losses_in_conditions(pinn)
    refusals.check_start(arrays, residuals)
    few = data.first_rows(arrays)
    residuals = {name: tf.convert_to_tensor(r[: data.FEW]) for name, r in residuals.items()}
    pinn._state.compiled.once(("python", *data.sizes(arrays)), lambda: _refuse_python(pinn, arrays))
    pinn.objective.losses.check(few, residuals, pinn.run_eagerly)
    pinn._step_logs(0.0, *few.parts, residuals)
    pinn.reset_metrics()
    _build_optimizer(pinn)


def _residuals(pinn, arrays):
    """The residuals before the first step; of many points as arrays, in chunks."""
    if data.sizes(arrays)[-1] <= CHUNK:
        return pinn.call(arrays.points)  # as it is: Keras would wrap its errors
    return pinn._prediction().residuals(data.Data(arrays.points, {}, {}), CHUNK)


def _refuse_python(pinn, arrays):
    refusals.refuse_python(pinn.problem, arrays, pinn.run_eagerly)


def _check_losses(objective, arrays, optimizer):
    """Raises `ValueError` for losses and weights that an optimizer cannot do with."""
    convex = getattr(optimizer, "convex", False)
    if getattr(optimizer, "least_squares", False) or (convex and objective.is_squares):
        objective.check_squares(arrays)
    elif convex:
        objective.check_weights(arrays)


def _build_optimizer(pinn):
    if not pinn.optimizer.built:
        pinn.optimizer.build(pinn.trainable_variables)
    if any(isinstance(each, FlatOptimizer) for each, _ in stages(pinn.optimizer, 0)):
        flat_functions(pinn)


def _remember(pinn, arrays):
    """Keeps the scales of the coordinates and the widths of the arrays."""
    problem = pinn.problem
    scales = data.scales(arrays.points, problem.space.coordinates)
    known = problem.scales
    changes.set_scales(pinn, {n: max(s, known.get(n, 0.0)) for n, s in scales.items()})
    for values in [arrays.points] if data.is_shared(arrays.points) else arrays.points.values():
        pinn._state.widths |= data.widths_of(values)


def train_on(pinn, arrays):
    """Replaces the `Data` that `fit` trains on, from the next epoch on."""
    changes.refuse_changes(pinn, "points and weights")
    pinn._state.training_data = arrays
    changes.another_loss(pinn)


def training_data(pinn):
    """The `Data` that `fit` trains on; `ValueError` if there is none."""
    if pinn._state.training_data is None:
        raise ValueError("there are no points yet: call fit with arrays first.")
    return pinn._state.training_data


def step_number(pinn):
    """The number of the training step; a minimizer keeps its objective as it is."""
    if not pinn.compiled or isinstance(pinn._at_work(), ScipyOptimizer | FlatOptimizer):
        return 0
    return tf.convert_to_tensor(pinn._at_work().iterations)
