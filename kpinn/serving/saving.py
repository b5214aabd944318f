"""A PINN as plain data, and back: what `model.save` and `load_model` ask for."""

import types

import keras

from kpinn.backend.keras_private import writes_file
from kpinn.derivatives.keras_private import all_layers
from kpinn.derivatives.names.declarations import declare
from kpinn.options import names as names_of
from kpinn.options import number, shown
from kpinn.options.configs import SIZES, check_tree, entries_of, shortened
from kpinn.problem.unknowns import describe

serialize = keras.saving.serialize_keras_object
deserialize = keras.saving.deserialize_keras_object


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
            f"{shortened(str(error), 1_000)} Define functions and classes in a module, by def and "
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

    What the arguments may be is checked by the constructor.

    Raises:
        ValueError: by entry, for objects that `config` would not have written.
    """
    config = dict(entries_of(config))
    check_tree(config)
    unknowns, scales = config.pop("unknowns", ()), config.pop("scales", {})
    arguments = {name: _deserialized(name, each, custom_objects) for name, each in config.items()}
    for function in arguments.get("conditions", ()):
        if not callable(function) or isinstance(function, type):
            raise ValueError(f"entry 'conditions' has {shown(function)}: expected functions.")
        _refuse_unregistered(function)
    return arguments, unknowns, scales


def _deserialized(name, value, custom_objects=None):
    try:
        return deserialize(value, custom_objects=custom_objects)
    except Exception as error:  # of whatever kind the constructors of what is in it raise
        raise ValueError(f"entry {name!r}: {shortened(str(error), 1_000)}") from error


def columns(cls, arguments):
    """The number of columns of the points of a PINN of a class, made of these arguments."""
    size = 0
    for what, usual in (("coordinates", "x"), ("parameters", ())):
        names = arguments.get(what) or getattr(cls, what) or usual
        if names:
            declared = declare(names_of(what, names, "t x"), what.removesuffix("s"), size)
            size = max(part.stop for part in declared.values())
    return size


def checked_scales(entry, coordinates):
    """The dict from coordinate to half its range; `ValueError` for anything else."""
    for name, _ in entries_of(entry):
        if name not in coordinates:
            raise ValueError(
                f"entry 'scales' names {name!r}, which is none of the coordinates "
                f"{', '.join(coordinates)}."
            )
    return {
        name: number(f"entry 'scales.{name}'", value, "(0, inf)") for name, value in entry.items()
    }


def compile_config(optimizer, settings, run_eagerly):
    """The arguments of `compile`, with the present loss weights.

    Args:
        optimizer: the built optimizer.
        settings: the `Settings` of the PINN.
        run_eagerly: that of Keras.
    """
    weights = {
        name: number(f"loss weight of {name!r}", variable, "[0, inf)")  # else none could be loaded
        for name, variable in settings.losses.weights.items()
    }
    data = _serialized if writes_file() else lambda name, value: serialize(value)
    return {
        "optimizer": data("optimizer", optimizer),
        "loss": data("loss", settings.loss),
        "loss_weights": weights,
        "metrics": data("metrics", settings.metrics),
        "jit_compile": settings.jit_choice,
        "steps_per_execution": settings.steps_per_execution,
        "run_eagerly": run_eagerly,
        "nonfinite": settings.nonfinite,
    }


def compile_arguments(config):
    """The inverse of `compile_config`; `ValueError`, by entry, for objects that are none of it."""
    check_tree(config, SIZES)
    return {name: _deserialized(name, value) for name, value in entries_of(config)}
