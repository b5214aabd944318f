"""A PINN as plain data, and back: what `model.save` and `load_model` ask for."""

import inspect
import math
import re
import types

import keras

from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.names.declarations import declare
from kpinn.keras_private import writes_file
from kpinn.options.configs import LARGEST, check_tree, entries_of, shortened
from kpinn.problem.unknowns import describe

serialize = keras.saving.serialize_keras_object
deserialize = keras.saving.deserialize_keras_object

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_UNKNOWN = {"name", "initial", "positive"}
LARGEST_WEIGHT = 1e38  # of a condition; float32 has hardly larger numbers


def config(arguments, unknowns, scales):
    """The constructor's arguments, the unknowns added later and the scales of the points.

    Args:
        arguments: dict of the constructor's arguments.
        unknowns: dict from name to variable, those added later.
        scales: dict from coordinate to half its range.

    Raises:
        ValueError: for an argument that a file cannot hold.
    """
    for function in arguments.get("conditions", ()):
        _refuse_unregistered(function)
    later = [describe(name, variable) for name, variable in unknowns.items()]
    arguments = {name: _serialized(name, value) for name, value in arguments.items()}
    return arguments | {"unknowns": later, "scales": dict(scales)}


def _refuse_unregistered(function):
    name = getattr(function, "__name__", None)
    if keras.saving.get_registered_name(function) == name:
        raise ValueError(
            f"condition {name!r} is a function that cannot be saved by value: decorate it with "
            "@keras.saving.register_keras_serializable(), or make the condition a method of a "
            "subclass of kpinn.PINN."
        )


def _serialized(name, value):
    """An argument of a constructor or of `compile` as data that can be loaded again."""
    try:
        for layer in all_layers(value) if isinstance(value, keras.layers.Layer) else ():
            _refuse_activation(layer)
        found = serialize(value)
        check_tree(found)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} cannot be saved in a .keras file that could be loaded again: "
            f"{shortened(error, 1_000, str)} Define functions and classes in a module, by def and "
            "class, and decorate them with @keras.saving.register_keras_serializable(). Training, "
            "save_weights, kpinn.callbacks.Checkpoint and export do not need it: they take the "
            "model as the program makes it."
        ) from error
    return found


def _refuse_activation(layer):
    """Raises `ValueError` for a function that would be loaded as another one, or not at all."""
    for name in layer.get_config():
        own = getattr(layer, name, None)
        if name.endswith("activation") and isinstance(own, types.FunctionType):
            registered = keras.saving.get_registered_object(keras.saving.get_registered_name(own))
            if own not in (registered, getattr(keras.activations, own.__name__, None)):
                raise ValueError(
                    f"layer {layer.name!r} has the {name} {own.__name__!r}, which is neither "
                    "registered nor Keras's of that name."
                )


def refuse_unregistered_class(cls):
    """Raises `ValueError` for a class that would not be found when a file is loaded."""
    name = keras.saving.get_registered_name(cls)
    if keras.saving.get_registered_object(name) is not cls:
        raise ValueError(
            f"the class {cls.__name__!r} cannot be found when a .keras file of it is loaded: "
            "decorate it with @keras.saving.register_keras_serializable(package='...'), or save "
            "and load under keras.saving.custom_object_scope. Training, save_weights, "
            "kpinn.callbacks.Checkpoint and export do not need it."
        )


# Loading ------------------------------------------------------------------------------------


def from_config(config, custom_objects=None):
    """The inverse of `config`: arguments, a list of those of `PINN.unknown`, and scales.

    Raises:
        ValueError: by entry, for what `config` would not have written.
    """
    config = dict(entries_of(config))
    check_tree(config)
    unknowns = [_unknown(each) for each in _listed("unknowns", config.pop("unknowns", ()))]
    scales = _scales(config.pop("scales", {}))
    for name in ("coordinates", "fields"):
        _check_names(name, config.get(name))
    for name in ("name", "allow_mixed_precision"):
        kind = str if name == "name" else bool
        if not isinstance(config.get(name, kind()), kind | None):
            raise ValueError(f"entry {name!r} is {shortened(config[name])}.")
    arguments = {name: _deserialized(name, each, custom_objects) for name, each in config.items()}
    for function in _listed("conditions", arguments.get("conditions", ())):
        if not callable(function) or isinstance(function, type):
            raise ValueError(f"entry 'conditions' has {shortened(function)}: expected functions.")
        _refuse_unregistered(function)
    return arguments, unknowns, scales


def _deserialized(name, value, custom_objects=None):
    try:
        return deserialize(value, custom_objects=custom_objects)
    except Exception as error:  # of whatever kind the constructors of what is in it raise
        raise ValueError(f"entry {name!r}: {shortened(error, 1_000, str)}") from error


def _listed(name, value):
    if not isinstance(value, list | tuple):
        raise ValueError(f"entry {name!r} is {shortened(value)}: expected a list.")
    return value


def _unknown(entry):
    fits = isinstance(entry, dict) and entry.keys() == _UNKNOWN and isinstance(entry["name"], str)
    if not fits or not _NAME.fullmatch(entry["name"]) or not isinstance(entry["positive"], bool):
        raise ValueError(
            f"entry 'unknowns' has {shortened(entry)}: expected a name such as 'viscosity', an "
            "initial number and whether it is positive."
        )
    return entry


def _scales(entry):
    for name, value in entries_of(entry):
        if not _is_number(value) or not 0 < value < math.inf:
            raise ValueError(
                f"entry 'scales' has {shortened(value)} for {name!r}: expected half the range of a "
                "coordinate, a positive number."
            )
    return dict(entry)


def columns(cls, arguments):
    """The number of columns of the points of a PINN of a class, made of these arguments."""
    names = arguments.get("coordinates") or cls.coordinates or "x"
    return max(part.stop for part in declare(names, "coordinate").values())


def check_scales(scales, coordinates):
    """Raises `ValueError` for scales of other names than those of coordinates."""
    for name in scales:
        if name not in coordinates:
            raise ValueError(
                f"entry 'scales' names {name!r}, which is none of the coordinates "
                f"{', '.join(coordinates)}."
            )


def _check_names(name, entry):
    names = entry if isinstance(entry, list | tuple) else [entry]
    if entry is not None and not all(isinstance(each, str) for each in names):
        raise ValueError(f"entry {name!r} is {shortened(entry)}: expected names, such as 't x'.")


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def call_of(constructor, arguments):
    """The positional arguments of a constructor and those by name, as it takes them.

    Args:
        constructor: a function whose first argument is the new object.
        arguments: dict of the others by name; a `name` that it does not take is left out.
    """
    parameters = inspect.signature(constructor).parameters
    kinds = {parameter.kind: name for name, parameter in parameters.items()}
    arguments, first = dict(arguments), []
    if "name" not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
        arguments.pop("name", None)
    rest = arguments.pop(kinds.get(inspect.Parameter.VAR_POSITIONAL), ())
    if rest:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        names = [n for n, p in parameters.items() if p.kind is kind and n in arguments]
        first = [arguments.pop(name) for name in names]
    return (*first, *rest), arguments


def compile_config(optimizer, settings, run_eagerly):
    """The arguments of `compile`, with the present loss weights.

    Args:
        optimizer: the built optimizer.
        settings: the `Settings` of the PINN.
        run_eagerly: that of Keras.
    """
    weights = settings.losses.weights
    data = _serialized if writes_file() else lambda name, value: serialize(value)
    return {
        "optimizer": data("optimizer", optimizer),
        "loss": data("loss", settings.loss),
        "loss_weights": {name: float(v.numpy()) for name, v in weights.items()},
        "metrics": data("metrics", settings.metrics),
        "jit_compile": settings.jit_choice,
        "steps_per_execution": settings.steps_per_execution,
        "run_eagerly": run_eagerly,
        "nonfinite": settings.nonfinite,
    }


def compile_arguments(config, method):
    """The inverse of `compile_config`.

    Args:
        config: dict from argument to data.
        method: the method that takes them, `compile`.

    Raises:
        ValueError: by entry, for what `compile_config` would not have written.
    """
    check_tree(config)
    parameters = inspect.signature(method).parameters
    for name, _ in entries_of(config):
        if name not in parameters:
            raise ValueError(f"{name!r} is no argument of compile.")
    for name, value in entries_of(config.get("loss_weights") or {}):
        if not _is_number(value) or not abs(value) < LARGEST_WEIGHT:
            raise ValueError(
                f"entry 'loss_weights' has {shortened(value)} for {name!r}: expected a number."
            )
    steps = config.get("steps_per_execution")
    if _is_number(steps) and steps > LARGEST:
        raise ValueError(f"entry 'steps_per_execution' is {steps}: expected at most {LARGEST}.")
    return {name: _deserialized(name, value) for name, value in config.items()}
