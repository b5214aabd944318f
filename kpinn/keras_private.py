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


def layers_with_losses(model):
    """The layers of a model that have added losses since these were cleared, itself too."""
    return [layer for layer in model._flatten_layers() if layer._get_own_losses()]


def added_losses(model):
    """What the layers of a model have added by `add_loss`, or for activity regularizers."""
    return [loss for layer in layers_with_losses(model) for loss in layer._get_own_losses()]


def clear_losses(model):
    """Forgets the losses that were added."""
    model._clear_losses()


def losses_of_regularizers(model):
    """The losses of the regularizers of weights."""
    return model._get_regularization_losses()
