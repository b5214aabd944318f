"""The hidden layers of `kpinn.networks.ModifiedMLP`."""

import keras

from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn.networks", name="Mixed")
class Mixed(FromConfig, keras.layers.Layer):
    """Hidden layers of a `ModifiedMLP`.

    Args:
        encoders: two dense layers.
        hidden: list of dense layers.
        **kwargs: of `keras.layers.Layer`.
    """

    inner = ("encoders", "hidden")

    def __init__(self, encoders, hidden, **kwargs):
        super().__init__(**kwargs)
        self.encoders, self.hidden = list(encoders), list(hidden)

    def build(self, input_shape):
        hidden_shape = (*input_shape[:-1], self.hidden[0].units)
        for layer in (*self.encoders, *self.hidden):
            if not layer.built:  # loaded ones are
                layer.build(hidden_shape if layer in self.hidden[1:] else input_shape)

    def call(self, inputs):
        u, v = (encoder(inputs) for encoder in self.encoders)
        difference = u - v
        for layer in self.hidden:
            inputs = layer(inputs) * difference + v
        return inputs

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "encoders": [serialize(layer) for layer in self.encoders],
            "hidden": [serialize(layer) for layer in self.hidden],
        }
