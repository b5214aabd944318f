"""`PINN.fit` and `PINN.evaluate`: what is checked before the first step, and which loop runs."""

import functools

import keras
import tensorflow as tf

from kpinn.derivatives.declarations import is_declared
from kpinn.derivatives.tensorflow_private import VariableWatcher
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.sequence import Sequence
from kpinn.optimizers.stages import stages
from kpinn.problem import points as data
from kpinn.problem import refusals, streams
from kpinn.training import adaptation, changes, fresh
from kpinn.training import epochs as loops
from kpinn.training.batches import fit_by_keras
from kpinn.training.checkpoints.order import checkpoint_last
from kpinn.training.compiling import with_xla_if_possible
from kpinn.training.flat import flat_functions
from kpinn.training.random_layers import refuse_random_layers
from kpinn.training.regularization import refuse_losses_in_conditions
from kpinn.training.replicas import checks
from kpinn.training.replicas.batches import fit_batches
from kpinn.training.replicas.evaluation import evaluate as evaluate_divided
from kpinn.training.replicas.strategies import is_divided
from kpinn.training.results import reported
from kpinn.training.schedule import Schedule
from kpinn.training.state import compiled_settings, state_of
from kpinn.training.trained import build_optimizer, check_rates
from kpinn.training.workers.roles import check_data, settings_of_worker

CHUNK = 2**14  # points that are evaluated at a time before the first step


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
    settings = settings_of_worker(pinn, settings)
    settings = settings | {"validation_data": _validation(pinn, settings["validation_data"])}
    state_of(pinn).own_step = type(pinn).train_step is not usual_step
    callbacks, checkpoint = checkpoint_last(settings["callbacks"])
    settings["callbacks"] = callbacks
    stream = given[0] if streams.is_stream(given[0]) else None
    checks.check_fit(pinn, stream, callbacks)
    if stream is None:
        arrays = pinn.prepare(*given, every=True)
        if arrays.streams:
            fresh.check_streams(pinn, arrays, schedule, loops.runs_on_arrays(pinn))
        _check_start(pinn, arrays, settings["verbose"])
    else:
        arrays = _check_stream(pinn, stream, settings["verbose"])
    check_rates(pinn, callbacks, settings["initial_epoch"], settings["epochs"])
    train = functools.partial(_train, pinn, arrays, stream, schedule)
    with reported(pinn, settings["verbose"]):
        if checkpoint is None:
            return train(settings)
        is_stream = stream is not None
        with checkpoint.during(pinn, arrays, schedule, settings, is_stream) as changes_of_settings:
            return train(settings | changes_of_settings)


def _train(pinn, arrays, stream, schedule, settings):
    """Runs the loop for points in memory, or that of Keras."""
    steps = schedule["steps_per_epoch"]
    if stream is not None:
        shuffle = schedule["shuffle"] and isinstance(stream, keras.utils.PyDataset)
        x = stream
        if is_divided(pinn):
            return fit_batches(pinn, x, steps, shuffle, **settings)
    elif loops.runs_on_arrays(pinn):
        whole = [name for name, condition in pinn.conditions.items() if condition.over_set]
        schedule = Schedule(list(pinn.conditions), arrays, **schedule, whole=whole)
        schedule.draws = not is_divided(pinn)
        loops.fit(pinn, arrays, schedule, **settings)
        return pinn.history
    else:
        x, steps, shuffle = streams.as_dataset(arrays, schedule["batch_size"]), steps or 1, False
    return fit_by_keras(pinn, x, steps_per_epoch=steps, shuffle=shuffle, **settings)


def evaluate(pinn, x, y, batch_size, sample_weight, arguments):
    """Losses at points; see `PINN.evaluate`."""
    compiled_settings(pinn)
    if streams.is_stream(x):
        checks.check_sets(pinn, check_stream(pinn, x, every=False))
    else:
        arrays = _evaluated(pinn, x, y, sample_weight)
        x = streams.as_dataset(arrays, repeat=False)
        y = batch_size = sample_weight = None
    if is_divided(pinn):
        return evaluate_divided(pinn, x, **arguments)
    arguments = {"y": y, "batch_size": batch_size, "sample_weight": sample_weight} | arguments
    return with_xla_if_possible(pinn, lambda: keras.Model.evaluate(pinn, x, **arguments), x)


def _validation(pinn, points):
    if points is None:
        return None
    if streams.is_stream(points):
        checks.check_sets(pinn, check_stream(pinn, points, every=False))
        return points
    return streams.as_dataset(_evaluated(pinn, points), repeat=False)


def _evaluated(pinn, *given):
    """The `Data` of an evaluation, checked: in a dataset the number of points has no shape."""
    arrays = pinn.prepare(*given)
    checks.check_sets(pinn, arrays)
    _check_targets(pinn, arrays)
    return arrays


def _check_targets(pinn, arrays):
    """Raises `ValueError` for targets of another shape than the residuals."""
    if arrays.targets:
        few = data.first_rows(arrays)
        residuals = pinn.call(few.points)
        for name, target in few.targets.items():
            data.check_target(name, residuals[name], target)


def _check_settings(pinn, settings):
    """Raises `ValueError` for settings of `fit` and layers that make no sense for points."""
    compiled_settings(pinn)
    split, class_weight = settings.pop("validation_split"), settings.pop("class_weight")
    if split not in (None, 0.0) or class_weight is not None:
        raise ValueError(
            "validation_split and class_weight have no meaning for sets of points: pass "
            "validation_data, or sample_weight by condition."
        )
    if not pinn.trainable_variables:
        raise ValueError(f"{pinn.name!r} has no trainable variable: all its layers are frozen.")
    refuse_random_layers(pinn.network, pinn.problem)
    refusals.refuse_wrong_derivatives(pinn.problem, 1)


def _check_stream(pinn, stream, verbose):
    """Checks the first element of a dataset, and returns it; `None` if reading uses it up."""
    if isinstance(pinn.optimizer, ScipyOptimizer | Sequence):
        raise ValueError(
            f"{type(pinn.optimizer).__name__} needs points in memory: pass arrays, not "
            f"{type(stream).__name__}."
        )
    arrays = check_stream(pinn, stream, every=True)
    if arrays is None:
        adaptation.refuse_unadapted(pinn)
        _build_optimizer(pinn)
    else:
        _check_start(pinn, arrays, verbose)
    return arrays


def check_stream(pinn, stream, every):
    """The first element of a dataset as a `Data`, checked; `None` for what cannot be read twice."""
    element = streams.first_element(stream)
    if element is None:
        return None
    arrays = pinn.prepare(*element, every=every)
    if not every:  # else the start of the training is checked
        _check_targets(pinn, arrays)
    streams.warn_of_lost_digits(pinn.problem, element)
    return arrays


def _check_start(pinn, arrays, verbose):
    """Evaluates once before training; builds metrics and optimizer before the first trace."""
    check_data(pinn, arrays)
    _remember(pinn, arrays)
    adaptation.adapt_first(pinn, arrays, verbose)
    checks.check_sets(pinn, arrays)
    for optimizer, _ in stages(pinn.optimizer, 0):
        _check_losses(pinn.objective, arrays, optimizer)
    with VariableWatcher() as watcher:
        residuals = _residuals(pinn, arrays)
    changes.refuse_untrained(pinn, watcher.watched_variables())
    refuse_losses_in_conditions(pinn)
    refusals.check_start(arrays, residuals)
    residuals = {name: tf.convert_to_tensor(residual) for name, residual in residuals.items()}
    refuse_python = functools.partial(
        refusals.refuse_python, pinn.problem, arrays, pinn.run_eagerly
    )
    state = state_of(pinn)
    state.compiled.once(("python", *data.sizes(arrays)), refuse_python)
    state.start_loss = float(pinn.compute_loss(*arrays.parts[:2], residuals, arrays.parts[2]))
    few = data.first_rows(arrays)
    residuals = {name: residual[: data.FEW] for name, residual in residuals.items()}
    pinn.objective.losses.check(few, residuals, pinn.run_eagerly)
    pinn.compute_metrics(few.points, few.targets, residuals)
    pinn.reset_metrics()
    _build_optimizer(pinn)


def _residuals(pinn, arrays):
    """The residuals before the first step; of many points as arrays, in chunks if that may be."""
    if data.sizes(arrays)[-1] <= CHUNK or is_declared(pinn.network):
        return pinn.call(arrays.points)  # as it is: Keras would wrap its errors
    return pinn.residuals(arrays.points, CHUNK)


def _check_losses(objective, arrays, optimizer):
    """Raises `ValueError` for losses and weights that an optimizer cannot do with."""
    convex = getattr(optimizer, "convex", False)
    if getattr(optimizer, "least_squares", False) or (convex and objective.is_squares):
        objective.check_squares(arrays)
    elif convex:
        objective.check_weights(arrays)


def _build_optimizer(pinn):
    build_optimizer(pinn)
    if any(isinstance(each, FlatOptimizer) for each, _ in stages(pinn.optimizer, 0)):
        flat_functions(pinn)


def _remember(pinn, arrays):
    """Keeps the scales of the coordinates and the widths of the arrays."""
    problem = pinn.problem
    scales = data.scales(arrays.points, problem.space.coordinates)
    known = problem.scales
    changes.set_scales(pinn, {n: max(s, known.get(n, 0.0)) for n, s in scales.items()})
    for values in [arrays.points] if data.is_shared(arrays.points) else arrays.points.values():
        state_of(pinn).widths |= data.widths_of(values)


def train_on(pinn, arrays):
    """Replaces the `Data` that `fit` trains on, from the next epoch on."""
    changes.refuse_changes(pinn, "points and weights")
    check_data(pinn, arrays)
    state_of(pinn).training_data = arrays
    changes.another_loss(pinn)


def training_data(pinn):
    """The `Data` that `fit` trains on; `ValueError` if there is none."""
    if state_of(pinn).training_data is None:
        raise ValueError("there are no points yet: call fit with arrays first.")
    return state_of(pinn).training_data
