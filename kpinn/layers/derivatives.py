"""Derivatives of a network as layers, for functional models and exports."""

import keras
import tensorflow as tf

from kpinn import derivatives as engine
from kpinn.derivatives.api import resolve
from kpinn.derivatives.names.declarations import split_names
from kpinn.derivatives.names.parsing import is_of_coordinates, parse
from kpinn.derivatives.names.space import Space
from kpinn.options import keras_layer, names
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
        directions: names of the directions whose vectors are in the input, `"n"` for `u_n`.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`, or a dict of `(n, 1)` by coordinate, with vectors `(n, d)` by direction.

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
        self, network, requests, coordinates, fields="u", method="auto", directions=(), **kwargs
    ):
        super().__init__(**kwargs)
        self.network = keras_layer("network", network)
        self.requests = ", ".join(split_names(names("requests", requests, "u, u_x")))
        self.coordinates = names("coordinates", coordinates, "t x")
        self.fields, self.method = names("fields", fields, "u v"), method
        resolve(method)
        space = Space(coordinates, fields)
        self.directions = _checked_directions(directions, space)
        for name in split_names(requests):
            _check_request(name, space, self.directions)

    def build(self, input_shape):
        """Builds the network."""
        if not self.network.built:
            self.network.build((None, Space(self.coordinates, self.fields).input_size))

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs):
        """Values by name."""
        return engine.derivatives(
            self.network, inputs, self.requests, self.coordinates, self.fields, self.method
        )

    def get_config(self):
        """The arguments."""
        return super().get_config() | {
            "network": keras.saving.serialize_keras_object(self.network),
            "requests": self.requests,
            "coordinates": self.coordinates,
            "fields": self.fields,
            "method": keras.saving.serialize_keras_object(self.method),
            "directions": list(self.directions),
        }


def _checked_directions(directions, space):
    """Names of directions as a tuple."""
    if not isinstance(directions, list | tuple) or directions:
        names("directions", directions, "n")
    for name in split_names(directions):
        if not name.isidentifier() or "_" in name or is_of_coordinates(name, space):
            raise ValueError(
                f"directions has {name!r}: expected names without an underscore that are not made "
                "of coordinates, such as 'n' for the derivative 'u_n' along a normal."
            )
    return split_names(directions)


def _check_request(name, space, directions):
    try:
        parse(name, space, directions)
    except ValueError as error:
        raise ValueError(
            f"requests has {name!r}: {error} A derivative along a direction, whose vectors come "
            "with the points, needs its name: directions='n' for 'u_n'."
        ) from error


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
        **kwargs,
    ):
        method = engine.FiniteDifference(accuracy, scheme, step)
        super().__init__(network, requests, coordinates, fields, method, **kwargs)

    def get_config(self):
        """The arguments."""
        config = super().get_config()
        del config["method"]
        return config | self.method.get_config()
