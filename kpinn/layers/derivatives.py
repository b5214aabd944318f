"""Derivatives of a network as layers, for functional models and exports."""

import keras
import tensorflow as tf

from kpinn import derivatives as engine
from kpinn.derivatives.api import resolve
from kpinn.derivatives.names.declarations import split_names
from kpinn.derivatives.names.parsing import parse
from kpinn.derivatives.names.space import Space
from kpinn.options import keras_layer, names, optional
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Derivatives(FromConfig, keras.layers.Layer):
    """Fields of a network and their derivatives.

    Args:
        network: Keras model or layer `(n, d) -> (n, m)`; its weights are this layer's weights.
        requests: names such as `"u, u_x, u_xx"`, see `kpinn.derivatives`.
        coordinates: names of the columns of the input, `"t x"`.
        fields: names of the columns of the output.
        method: how to compute them, see `kpinn.derivatives`.
        parameters: names of the columns behind the coordinates that are no space, `"mu"`.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`, or a dict of `(n, 1)` by coordinate (and directions).

    Output shape: a dict from name to `(n, 1)`, or as `kpinn.derivatives` says.

    Raises:
        ValueError: for names without meaning.

    Example:

        inputs = keras.Input((2,))
        values = kpinn.layers.Derivatives(network, "u_t, u_xx", coordinates="t x")(inputs)
        heat = keras.Model(inputs, values["u_t"] - values["u_xx"])
    """

    inner = ("network", "method")

    def __init__(
        self,
        network,
        requests,
        coordinates,
        fields="u",
        method="auto",
        parameters=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.network = keras_layer("network", network)
        self.requests = ", ".join(split_names(names("requests", requests, "u, u_x")))
        self.coordinates = names("coordinates", coordinates, "t x")
        self.fields, self.method = names("fields", fields, "u v"), method
        self.parameters = optional(names, "parameters", parameters, "mu")
        space = self._space()
        for name in split_names(requests):
            parse(name, space)
        resolve(method)

    def _space(self):
        return Space(self.coordinates, self.fields, self.parameters)

    def build(self, input_shape):
        """Builds the network."""
        if not self.network.built:
            self.network.build((None, self._space().input_size))

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs):
        """Values by name."""
        names = self.coordinates, self.fields, self.method, self.parameters
        return engine.derivatives(self.network, inputs, self.requests, *names)

    def get_config(self):
        """The arguments."""
        return super().get_config() | {
            "network": keras.saving.serialize_keras_object(self.network),
            "requests": self.requests,
            "coordinates": self.coordinates,
            "fields": self.fields,
            "method": keras.saving.serialize_keras_object(self.method),
            "parameters": self.parameters,
        }


@keras.saving.register_keras_serializable(package="kpinn.layers")
class FiniteDifference(Derivatives):
    """`Derivatives` by finite differences; see `kpinn.FiniteDifference` for the last arguments."""

    def __init__(
        self,
        network,
        requests,
        coordinates,
        fields="u",
        accuracy=2,
        scheme="central",
        step=None,
        parameters=None,
        **kwargs,
    ):
        method = engine.FiniteDifference(accuracy, scheme, step)
        super().__init__(network, requests, coordinates, fields, method, parameters, **kwargs)

    def get_config(self):
        """The arguments."""
        config = super().get_config()
        del config["method"]
        return config | self.method.get_config()
