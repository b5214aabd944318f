"""The private names of Keras that kpinn needs: one function each, with a test of its own."""


def replace_loss_tracker(model, tracker):
    """Replaces the tracker of `"loss"`, which Keras makes in `floatx`, by one in another dtype."""
    object.__setattr__(model, "_loss_tracker", tracker)  # past Keras's tracking of attributes


def loss_tracker(model):
    """The tracker of `"loss"`."""
    return model._loss_tracker


def restored_epoch(model):
    """The epoch that `keras.callbacks.BackupAndRestore` restored, or `None`."""
    return model._initial_epoch


def made_under_strategy(model):
    """Whether a model was created in the scope of a distribution strategy."""
    return model._distribute_strategy is not None


def leave_untracked(layer, kind):
    """Keeps objects of a class out of the sublayers of a layer, also where they are in a list."""
    config = layer._tracker.config
    is_layer, sublayers = config["layers"]
    config["layers"] = (lambda value: is_layer(value) and not isinstance(value, kind)), sublayers


def schedule_of(optimizer):
    """The schedule of an optimizer's learning rate, or whatever else it was given."""
    return optimizer._learning_rate


def step_counter(optimizer):
    """The variable that counts the steps of an optimizer, those that only accumulate too."""
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations
