"""A PINN as plain data, and back: what `model.save` and `load_model` ask for."""

import inspect

import keras

from kpinn.problem.unknowns import describe

serialize = keras.saving.serialize_keras_object
deserialize = keras.saving.deserialize_keras_object


def config(arguments, unknowns, scales):
    """The constructor's arguments, the unknowns added later and the scales of the points.

    Args:
        arguments: dict of the constructor's arguments.
        unknowns: dict from name to variable, those added later.
        scales: dict from coordinate to half its range.
    """
    for function in arguments.get("conditions", ()):
        _refuse_unregistered(function)
    later = [describe(name, variable) for name, variable in unknowns.items()]
    arguments = {name: serialize(value) for name, value in arguments.items()}
    return arguments | {"unknowns": later, "scales": dict(scales)}


def _refuse_unregistered(function):
    name = getattr(function, "__name__", None)
    if keras.saving.get_registered_name(function) == name:
        raise ValueError(
            f"condition {name!r} is a function that cannot be saved by value: decorate it with "
            "@keras.saving.register_keras_serializable(), or make the condition a method of a "
            "subclass of kpinn.PINN."
        )


def from_config(config, custom_objects=None):
    """The inverse of `config`: arguments, a list of those of `PINN.unknown`, and scales."""
    config = dict(config)
    later, scales = config.pop("unknowns", ()), config.pop("scales", {})
    arguments = {
        name: deserialize(value, custom_objects=custom_objects) for name, value in config.items()
    }
    return arguments, later, scales


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
    return {
        "optimizer": serialize(optimizer),
        "loss": serialize(settings.loss),
        "loss_weights": {name: float(v.numpy()) for name, v in weights.items()},
        "metrics": serialize(settings.metrics),
        "jit_compile": settings.jit_choice,
        "steps_per_execution": settings.steps_per_execution,
        "run_eagerly": run_eagerly,
        "nonfinite": settings.nonfinite,
    }


def compile_arguments(config):
    """The inverse of `compile_config`."""
    return {name: deserialize(value) for name, value in config.items()}
