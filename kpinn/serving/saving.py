"""A PINN as plain data, and back: what `model.save` and `load_model` ask for."""

import keras

from kpinn.problem.unknowns import describe

serialize = keras.saving.serialize_keras_object
deserialize = keras.saving.deserialize_keras_object


def config(pinn):
    """The constructor's arguments, the unknowns added later and the scales of the points."""
    state = pinn._plain
    for function in state.arguments.get("conditions", ()):
        _refuse_unregistered(function)
    later = [
        describe(name, variable)
        for name, variable in state.unknowns.items()
        if name not in state.unknowns_of_constructor
    ]
    arguments = {name: serialize(value) for name, value in state.arguments.items()}
    return arguments | {"name": pinn.name, "unknowns": later, "scales": dict(state.scales)}


def _refuse_unregistered(function):
    name = getattr(function, "__name__", None)
    if keras.saving.get_registered_name(function) == name:
        raise ValueError(
            f"condition {name!r} is a function that cannot be saved by value: decorate it with "
            "@keras.saving.register_keras_serializable(), or make the condition a method of a "
            "subclass of kpinn.PINN."
        )


def from_config(cls, config, custom_objects=None):
    """Makes a PINN of the class `cls` from the result of `config`."""
    config = dict(config)
    later, scales = config.pop("unknowns", ()), config.pop("scales", {})
    arguments = {
        name: deserialize(value, custom_objects=custom_objects) for name, value in config.items()
    }
    pinn = cls(**arguments)
    for arguments in later:
        pinn.unknown(**arguments)
    pinn._plain.scales.update(scales)
    return pinn


def compile_config(pinn):
    """The arguments of `compile`, with the present loss weights."""
    state = pinn._plain
    if not pinn.optimizer.built:  # it is loaded with its variables
        pinn.optimizer.build(pinn.trainable_variables)
    return {
        "optimizer": serialize(pinn.optimizer),
        "loss": serialize(state.loss),
        "loss_weights": {name: float(v.numpy()) for name, v in state.objective.weights.items()},
        "metrics": serialize(state.metrics),
        "jit_compile": state.jit_choice,
        "steps_per_execution": state.steps_per_execution,
        "run_eagerly": pinn.run_eagerly,
    }


def compile_from_config(pinn, config):
    """Compiles a PINN as the saved one was; its optimizer gets its variables."""
    pinn.compile(**{name: deserialize(value) for name, value in config.items()})
    pinn.optimizer.build(pinn.trainable_variables)
