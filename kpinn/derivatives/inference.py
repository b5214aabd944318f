"""A function or a Keras model as a function of points, in which it is differentiated."""

import keras
import tensorflow as tf

from kpinn.derivatives.declarations import like
from kpinn.derivatives.graphs.python_calls import named


def inference(function, space=None, training=False):
    """The function as it is to be differentiated, from points `(n, d)` to outputs `(n, m)`.

    A Keras layer is called with `training=False`; a functional model with several inputs gets the
    coordinates by name; outputs in a dict are put side by side by field, those of a list as they
    stand.
    """
    call, what = function, "the function"
    if isinstance(function, keras.layers.Layer):
        what = f"the network {function.name!r}"

        def call(points):
            return _call_layer(function, points, space, training)

    def fields(points):
        with named(what):
            return _side_by_side(call(points), space)

    fields.origin = function
    return like(fields, function)


def _call_layer(layer, points, space, training):
    inputs = getattr(layer, "inputs", None) or ()
    if len(inputs) < 2 or space is None:
        return layer(points, training=training)
    names = [tensor.name for tensor in inputs]
    if set(names) != set(space.coordinates):
        raise ValueError(
            f"the model {layer.name!r} has the inputs {', '.join(names)}: expected one input per "
            "coordinate, named like it (keras.Input((1,), name='x')). There are "
            f"{space.describe()}."
        )
    columns = {name: points[:, part] for name, part in space.coordinates.items()}
    return layer(columns, training=training)


def _side_by_side(outputs, space):
    if isinstance(outputs, dict) and space is not None:
        if set(outputs) != set(space.fields):
            raise ValueError(
                f"the function returned {', '.join(map(repr, outputs))}: expected one output "
                f"per field. There are {space.describe()}."
            )
        outputs = [outputs[name] for name in space.fields]
    if isinstance(outputs, list | tuple):
        return tf.concat([tf.convert_to_tensor(output) for output in outputs], axis=1)
    return outputs
