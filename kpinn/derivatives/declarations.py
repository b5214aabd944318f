"""What users declare of functions, since it cannot be seen in them."""

import keras

from kpinn.derivatives.keras_private import all_layers


def independent(function):
    """Declares that rows of a function are independent, which is not checked then.

    A function that takes points together has no derivative at a point and is refused. There are
    networks whose rows share something by design, such as a branch that is evaluated once for the
    points with the same index: no derivative with respect to what they share is asked for. A
    `batch_size` that takes such rows apart is refused.

    Args:
        function: a function, a Keras layer or a class of layers; it may be used as a decorator. A
            network is declared with any of its layers.

    Returns:
        The same.

    Raises:
        TypeError: for what cannot be marked, such as a bound method.

    Example:

        @kpinn.derivatives.independent
        class Branches(keras.Model):
            def call(self, inputs):  # (sensors, x), 100 rows for each function
                features = ops.repeat(self.branch(inputs[::100, :-1]), 100, axis=0)
                return ops.sum(features * self.trunk(inputs[:, -1:]), axis=1, keepdims=True)
    """
    try:
        function.has_independent_rows = True
    except AttributeError:
        raise TypeError(
            f"{function!r} cannot be declared: expected a function, a Keras layer or a class; wrap "
            "a method in a function."
        ) from None
    return function


def is_declared(function):
    """Whether a function, or a layer of a network, was declared by `independent`."""
    parts = all_layers(function) if isinstance(function, keras.layers.Layer) else [function]
    return any(getattr(part, "has_independent_rows", False) for part in parts)


def like(function, other):
    """The function, declared where another one is that it is made of."""
    return independent(function) if is_declared(other) else function
