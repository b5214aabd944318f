"""A function or a Keras model as a function of points, in which it is differentiated."""

import keras
import tensorflow as tf


def inference(function, space=None):
    """The function as it is to be differentiated, from points `(n, d)` to outputs `(n, m)`.

    A Keras layer is called with `training=False`; a functional model with several inputs gets the
    coordinates by name; outputs in a dict are put side by side by field, those of a list as they
    stand.
    """
    if isinstance(function, keras.layers.Layer):
        return _Inference(function, space)
    return _Joined(function, space)


class _Joined:
    """A function whose outputs are put side by side."""

    def __init__(self, function, space):
        self.function, self.space = function, space

    def __call__(self, points):
        outputs = self.function(points)
        if isinstance(outputs, dict) and self.space is not None:
            if set(outputs) != set(self.space.fields):
                raise ValueError(
                    f"the function returned {', '.join(map(repr, outputs))}: expected one output "
                    f"per field. There are {self.space.describe()}."
                )
            outputs = [outputs[name] for name in self.space.fields]
        if isinstance(outputs, list | tuple):
            return tf.concat([tf.convert_to_tensor(output) for output in outputs], axis=1)
        return outputs


class _Inference(_Joined):
    """A Keras layer called with `training=False`."""

    def __init__(self, layer, space):
        super().__init__(self._call, space)
        self._layer = layer

    def _call(self, points):
        inputs = getattr(self._layer, "inputs", None) or ()
        if len(inputs) < 2 or self.space is None:
            return self._layer(points, training=False)
        names = [tensor.name for tensor in inputs]
        if set(names) != set(self.space.coordinates):
            raise ValueError(
                f"the model {self._layer.name!r} has the inputs {', '.join(names)}: expected "
                "one input per coordinate, named like it (keras.Input((1,), name='x')). There are "
                f"{self.space.describe()}."
            )
        columns = {name: points[:, part] for name, part in self.space.coordinates.items()}
        return self._layer(columns, training=False)
