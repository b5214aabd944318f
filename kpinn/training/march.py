"""Training in windows of time, each from the end of the last one."""

import itertools
import math
import time

import keras

from kpinn.derivatives import FiniteDifference
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.names.space import TIME_NAMES
from kpinn.layers import TimeWindows
from kpinn.options import check_pinn, function, one_of
from kpinn.training import changes
from kpinn.training.arguments import VERBOSE
from kpinn.training.state import compiled_settings, state_of
from kpinn.training.trained import build_optimizer

BESIDE = 0.5  # of a window: finite differences may look so far beside it


def march(pinn, sample, edges, verbose="auto", **settings):
    """Trains a PINN in windows of time, one after the other, with one compilation for all.

    The network is a `kpinn.layers.TimeWindows`, or has one in it: a window begins with the values
    that the last one ended with, which hold exactly, and with its weights. The optimizer begins
    each window as it was before the first one. Afterwards the PINN is the solution over all
    windows: `predict_fields`, `residuals`, `evaluate`, `export` and `save` take points of any.

    Errors add up as in every method that goes from step to step: the loss of each window is
    printed and returned. Where it ends early, later times are NaN.

    Args:
        pinn: a compiled `kpinn.PINN`.
        sample: function from the begin and the end of a window to its points, as `fit` takes them,
            with targets too; arrays of the same shapes for each window, else it is compiled anew.
        edges: growing times, one more than windows.
        verbose: 0 for silence, 1 for a line for each window, 2 for those of `fit` too; `"auto"` is
            1.
        **settings: of `fit`, for each window: `epochs`, `callbacks`, `batch_size`. With a
            `kpinn.callbacks.Checkpoint` a script that is started again goes on in its window.

    Returns:
        A `keras.callbacks.History`, in which an epoch is a window: the last logs of each.

    Raises:
        ValueError: for a PINN without such a layer or with trained variables outside of it, edges
            that do not grow, and as `fit`.

    Example:

        def sample(a, b):
            box = kpinn.domains.Box(t=(a, b), x=(-1, 1))
            return {"momentum": box.sample(1_000), "walls": box.boundary("x").sample(100)}

        history = kpinn.march(pinn, sample, np.linspace(0.0, 1.0, 11), epochs=50)
        print(history.history["loss"])

    References:
        Wight & Zhao, "Solving Allen-Cahn and Cahn-Hilliard equations using the adaptive
        physics informed neural networks" (2020); Penwarden, Jagtap, Zhe, Karniadakis & Kirby, "A
        unified scalable framework for causal sweeping strategies for physics-informed neural
        networks and their temporal decompositions" (2023).
    """
    layer = _layer_of(pinn)
    function("sample", sample, "def sample(a, b)")
    one_of("verbose", verbose, VERBOSE)
    if settings.get("validation_data") is not None:
        raise ValueError("validation_data are for fit: each window has points of its own.")
    compiled_settings(pinn)
    layer.divide(edges)
    _set_scale_of_time(pinn, layer.edges)
    try:
        by_differences = any(
            isinstance(each.method, FiniteDifference) for each in pinn.conditions.values()
        )
        with layer.alone(BESIDE) if by_differences else layer.alone():
            changes.forget_compiled(pinn)
            return _through_windows(pinn, layer, sample, verbose, settings)
    finally:
        changes.forget_compiled(pinn)


def _through_windows(pinn, layer, sample, verbose, settings):
    build_optimizer(pinn)
    first = [variable.numpy() for variable in pinn.optimizer.variables]
    history = keras.callbacks.History()
    history.set_model(pinn)
    history.on_train_begin()
    for number, (begin, end) in enumerate(itertools.pairwise(layer.edges)):
        if number:
            layer.advance()
            for variable, value in zip(pinn.optimizer.variables, first, strict=True):
                variable.assign(value)
        clock = time.perf_counter()
        found = pinn.fit(sample(begin, end), verbose=2 if verbose == 2 else 0, **settings)
        logs = {name: values[-1] for name, values in found.history.items() if values}
        history.on_epoch_end(number, logs)
        if verbose:
            loss = f"loss {logs['loss']:.1e}" if "loss" in logs else "no loss"
            print(
                f"window {number + 1} of {len(layer.edges) - 1}, from {begin:g} to {end:g}: {loss} "
                f"after {len(found.epoch)} epochs, {time.perf_counter() - clock:.1f} s"
            )
        if state_of(pinn).failure is not None:
            break
    return history


def _layer_of(pinn):
    """The one `TimeWindows` of a PINN, which has all that is trained."""
    check_pinn(pinn)
    found = [layer for layer in all_layers(pinn.network) if isinstance(layer, TimeWindows)]
    if len(found) != 1:
        raise ValueError(
            f"the network {pinn.network.name!r} has {len(found)} layers kpinn.layers.TimeWindows: "
            "expected one, such as TimeWindows(network, 't x', start=...), which says what the "
            "fields begin with."
        )
    own = {id(variable) for variable in found[0].network.weights}
    others = [v.path for v in pinn.trainable_variables if id(v) not in own]
    if others:
        raise ValueError(
            f"{', '.join(others)} would be trained in each window, and windows before would have "
            f"another value then: only the network in {found[0].name!r} may be trained. Set "
            "trainable = False on other layers, and find unknowns by fit."
        )
    return found[0]


def _set_scale_of_time(pinn, edges):
    """That of the longest window: a scale that grows would be compiled again."""
    times = [each for each in pinn.problem.space.coordinates if each in TIME_NAMES]
    longest = max(end - begin for begin, end in itertools.pairwise(edges))
    scale = 2.0 ** round(math.log2(longest / 2.0))
    changes.set_scales(pinn, pinn.problem.scales | dict.fromkeys(times, scale))
