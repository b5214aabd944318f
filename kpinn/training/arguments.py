"""The arguments of `PINN.compile`, `fit`, `evaluate` and `predict`, a line for each."""

import keras

from kpinn.options import flag, number, of_keras, one_of, optional, positive_whole, shown, whole
from kpinn.problem.points import check_known, is_shared
from kpinn.problem.streams import is_stream

VERBOSE = ("auto", 0, 1, 2, True, False)
_BY_KERAS = ("_use_cached_eval_dataset",)  # what its fit passes to evaluate


def of_compile(optimizer, jit_compile, steps_per_execution, run_eagerly, others):
    """Checks of the arguments of `compile` that no other place has.

    Args:
        optimizer: as it was given.
        jit_compile: as it was given.
        steps_per_execution: as it was given.
        run_eagerly: as it was given.
        others: dict of arguments of `keras.Model.compile`.

    Returns:
        The optimizer and the steps per execution.
    """
    one_of("jit_compile", jit_compile, ("auto", True, False))
    if not isinstance(steps_per_execution, str) or steps_per_execution != "auto":
        steps_per_execution = positive_whole("steps_per_execution", steps_per_execution)
    flag("run_eagerly", run_eagerly)
    flag("auto_scale_loss", others.get("auto_scale_loss", True))
    if others.get("weighted_metrics") is not None:
        raise ValueError(
            "weighted_metrics has no meaning here, where metrics take no sample weights: pass "
            "metrics, by condition."
        )
    _refuse_unknown("compile", others, ("auto_scale_loss", "weighted_metrics"))
    optimizer = of_keras("optimizer", keras.optimizers.get, optimizer)
    if optimizer is None:
        raise ValueError(
            "optimizer is None: expected a Keras optimizer or one of kpinn.optimizers."
        )
    return optimizer, steps_per_execution


def of_fit(x, schedule, settings):
    """The arguments of `fit` with whole numbers as such: schedule and settings.

    Args:
        x: points.
        schedule: dict with `batch_size`, `steps_per_epoch` and `shuffle`.
        settings: dict of the others by name.
    """
    known = ("validation_steps", "validation_batch_size", *_FIT)
    _refuse_unknown("fit", settings, known)
    if is_stream(x) and schedule["batch_size"] is not None:
        raise ValueError(
            f"batch_size={shown(schedule['batch_size'])} is for arrays: {type(x).__name__} has "
            "batches already."
        )
    if settings.pop("validation_batch_size", None) is not None:
        raise ValueError("validation_batch_size is not used: each set is taken as a whole.")
    schedule = {
        "batch_size": optional(_batch_size, "batch_size", schedule["batch_size"]),
        "steps_per_epoch": optional(positive_whole, "steps_per_epoch", schedule["steps_per_epoch"]),
        "shuffle": flag("shuffle", schedule["shuffle"]),
    }
    optional(number, "validation_split", settings["validation_split"], "[0, 1)")
    checked = {
        "epochs": whole("epochs", settings["epochs"], 0),
        "verbose": one_of("verbose", settings["verbose"], VERBOSE),
        "callbacks": callbacks(settings["callbacks"]),
        "initial_epoch": whole("initial_epoch", settings["initial_epoch"], 0),
        "validation_freq": _frequency(settings["validation_freq"]),
    }
    if "validation_steps" in settings:
        steps = settings["validation_steps"]
        checked["validation_steps"] = optional(positive_whole, "validation_steps", steps)
    return schedule, settings | checked


def _batch_size(name, given):
    """A whole number, or a dict of those by condition."""
    if not isinstance(given, dict):
        return positive_whole(name, given)
    if not given:
        raise ValueError(
            "batch_size is an empty dict: expected numbers by condition, or leave it out."
        )
    return {key: positive_whole(f"batch_size of {key!r}", value) for key, value in given.items()}


def check_batch_sizes(sizes, points, counts):
    """Raises `ValueError` for batch sizes by condition that do not fit the points.

    Args:
        sizes: dict from condition to batch size.
        points: as in `Data`.
        counts: dict from condition to number of points.
    """
    check_known(sizes, list(counts), "batch_size is given for")
    if is_shared(points):
        raise ValueError(
            f"batch_size={sizes} is by condition, and all conditions have one set of points: pass "
            "one number, or a dict of points by condition."
        )
    for name, size in sizes.items():
        if size > counts[name]:
            raise ValueError(
                f"batch_size of {name!r} is {size}, and it has {counts[name]} points: pass at most "
                "that many, or leave the condition out of batch_size to take all in each step."
            )


_FIT = (
    *("epochs", "verbose", "callbacks", "validation_split", "validation_data", "class_weight"),
    *("initial_epoch", "validation_freq"),
)


def of_evaluate(x, batch_size, others):
    """The arguments of `evaluate` and `predict` with whole numbers as such.

    Args:
        x: points.
        batch_size: most points at a time, or `None`.
        others: dict of the others by name.

    Returns:
        The others.
    """
    known = ("verbose", "steps", "callbacks", "return_dict", *_BY_KERAS)
    _refuse_unknown("evaluate or predict", others, known)
    if is_stream(x) and batch_size is not None:
        raise ValueError(
            f"batch_size={shown(batch_size)} is for arrays: {type(x).__name__} has batches already."
        )
    optional(positive_whole, "batch_size", batch_size)
    one_of("verbose", others.get("verbose", "auto"), VERBOSE)
    flag("return_dict", others.get("return_dict", False))
    callbacks(others.get("callbacks"))
    return others | {"steps": optional(positive_whole, "steps", others.get("steps"))}


def _refuse_unknown(what, given, known):
    for name in given:
        if name not in known:
            raise ValueError(f"{what} takes no argument {name!r}: there are {', '.join(known)}.")


def callbacks(given):
    """Callbacks as they were given, of which each is one."""
    for each in listed(given):
        if not isinstance(each, keras.callbacks.Callback):
            raise ValueError(f"callbacks has {shown(each)}: expected Keras callbacks, in a list.")
    return given


def listed(given):
    """The list of callbacks, which `fit` takes in a list, in one of Keras's, alone or as `None`."""
    if isinstance(given, keras.callbacks.CallbackList):
        return list(given.callbacks)
    return [each for each in keras.tree.flatten(given) if each is not None]


def _frequency(given):
    """A whole number, or the numbers of the epochs with a validation."""
    if isinstance(given, list | tuple | set | range):
        return [positive_whole("validation_freq", each) for each in given]
    return positive_whole("validation_freq", given)
