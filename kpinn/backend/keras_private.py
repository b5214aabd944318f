"""The private names of Keras that kpinn needs: one function each, with a test of its own."""

import contextlib

from keras.src.backend.common import global_state
from keras.src.random import seed_generator


def replace_loss_tracker(model, tracker):
    """Replaces the tracker of `"loss"`, which Keras makes in `floatx`, by one in another dtype."""
    object.__setattr__(model, "_loss_tracker", tracker)  # past Keras's tracking of attributes


def loss_tracker(model):
    """The tracker of `"loss"`."""
    return model._loss_tracker


def made_under_strategy(model):
    """Whether a model was created in the scope of a distribution strategy."""
    return model._distribute_strategy is not None


def leave_untracked(layer, kind):
    """Keeps objects of a class out of the sublayers of a layer, also where they are in a list."""
    config = layer._tracker.config
    is_layer, sublayers = config["layers"]
    config["layers"] = (lambda value: is_layer(value) and not isinstance(value, kind)), sublayers


@contextlib.contextmanager
def open_for_variables(layer):
    """A block in which a layer that is built may get further variables."""
    layer._tracker.unlock()
    try:
        yield
    finally:
        layer._tracker.lock()


def own_losses(layer):
    """What a layer itself has added by `add_loss`, or for an activity regularizer."""
    return layer._get_own_losses()


def clear_losses(model):
    """Forgets the losses that were added."""
    model._clear_losses()


def writes_file():
    """Whether Keras asks for a config to write it to a file, and not to clone a model."""
    name = "shared_objects/id_to_config_map"
    return global_state.get_global_attribute(name) is not None


def schedule_of(optimizer):
    """The schedule of an optimizer's learning rate, or whatever else it was given."""
    return optimizer._learning_rate


def step_counter(optimizer):
    """The variable that counts the steps of an optimizer, those that only accumulate too."""
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def opened_file(store):
    """The `h5py.File` that Keras loads variables from; `None` for another format."""
    return getattr(store, "h5_file", None)


def close_for(store, error):
    """Lets Keras load nothing more from a store: where it goes on, the error is raised again."""

    def refuse(path):
        raise error

    store.get = refuse


def global_seed_generator():
    """The generator of seeds of `keras.random`, which is made if there is none."""
    return seed_generator.global_seed_generator()


def existing_global_seed_generator():
    """The generator of seeds of `keras.random`, `None` if nothing has asked for it yet."""
    return global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)


def forget_global_seed_generator():
    """Lets `keras.random` make another generator of seeds when it is asked for."""
    global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
