"""Conditions that hold by the form of the network."""

import numbers

import keras
from keras import ops

from kpinn.derivatives.names.declarations import split_names
from kpinn.derivatives.names.space import Space
from kpinn.derivatives.precision import computing_layers
from kpinn.options import argument_names, keras_layer, names, number, optional, shown
from kpinn.options.configs import FromConfig


class OverNetwork(FromConfig, keras.layers.Layer):
    """What layers have in common that change the fields of a network at points with named columns.

    Args:
        network: Keras model or layer `(n, d) -> (n, m)`.
        coordinates: names of the columns of the input.
        fields: names of the columns of the output, or None.
        **kwargs: of `keras.layers.Layer`; `dtype` is by default that of the network.
    """

    def __init__(self, network, coordinates, fields, **kwargs):
        kwargs.setdefault("dtype", policy(keras_layer("network", network)))
        super().__init__(**kwargs)
        self.network = network
        self.coordinates = " ".join(split_names(names("coordinates", coordinates, "t x")))
        fields = optional(names, "fields", fields, "u v")
        self.fields = None if fields is None else " ".join(split_names(fields))

    def _space(self):
        return Space(self.coordinates, self.fields or "u")

    def _columns(self, points):
        return {name: points[:, part] for name, part in self._space().coordinates.items()}

    def _check_fields(self, what, given):
        """Raises `ValueError` for names that are no fields."""
        fields = () if self.fields is None else self._space().fields
        for name in given:
            if name not in fields:
                raise ValueError(
                    f"{what} has {name!r}, which is no field: expected the names of fields, "
                    f"which the argument fields says. It is {self.fields!r}."
                )

    def _check_functions(self, what, given):
        """Raises `ValueError` for what is no function of coordinates, number or dict of these."""
        space = self._space()
        if not isinstance(given, dict):
            return check_arguments(what, given, space)
        self._check_fields(what, given)
        for name, one in given.items():
            check_arguments(f"{what} of {name!r}", one, space)

    def build(self, input_shape):
        """Builds the network."""
        size = self._space().input_size
        if len(input_shape) != 2 or input_shape[-1] != size:
            raise ValueError(
                f"points have the shape {tuple(input_shape)}: expected (n, {size}), one column per "
                f"component of the coordinates {self.coordinates!r}."
            )
        if not self.network.built:
            self.network.build(input_shape)

    def get_config(self):
        """The arguments."""
        return super().get_config() | {
            "network": keras.saving.serialize_keras_object(self.network),
            "coordinates": self.coordinates,
            "fields": self.fields,
        }


@keras.saving.register_keras_serializable(package="kpinn.layers")
class HardCondition(OverNetwork):
    """A network with values that hold exactly: `value + distance * network`.

    Where `distance` is zero, the field is `value`, whatever the weights are, so that no condition
    needs to say so. `value` and `distance` are functions whose arguments are named like
    coordinates, as those of conditions are. `distance` should be smooth, zero on the boundary and
    of the size of one within; a square of the time as a factor holds the first derivative, too.

    Args:
        network: Keras model or layer `(n, d) -> (n, m)`; its weights are this layer's weights.
        coordinates: names of the columns of the input, `"t x"`, those of parameters too.
        value: function from columns `(n, 1)` to `(n, 1)` or `(n, m)`, or a number; by default 0.
        distance: the same; by default 1.
        fields: names of the columns of the output, `"u v p"`, if `value` or `distance` is a dict
            from fields to functions or numbers; a field that is not in it has the default.
        **kwargs: of `keras.layers.Layer`; `dtype` is by default that of the network.

    Input shape: `(n, d)`.

    Output shape: `(n, m)`.

    Raises:
        ValueError: for names without meaning, or functions with values of another shape. On
            saving, for a function that is not registered with Keras.

    Example:

        network = kpinn.layers.HardCondition(
            kpinn.networks.MLP(units=20, depth=4),
            coordinates="t x",
            value=lambda x: -ops.sin(math.pi * x),  # at t = 0, and at x = -1 and x = 1
            distance=lambda t, x: t * (1 - x**2),
        )

    References:
        Lagaris, Likas & Fotiadis, "Artificial neural networks for solving ordinary and partial
        differential equations" (1998).
    """

    inner = ("network", "value", "distance")

    def __init__(self, network, coordinates, value=None, distance=None, fields=None, **kwargs):
        super().__init__(network, coordinates, fields, **kwargs)
        self.value, self.distance = value, distance
        if value is None and distance is None:
            raise ValueError("value and distance are missing: the network would be unchanged.")
        self._check_functions("value", value)
        self._check_functions("distance", distance)

    def call(self, inputs):
        """The fields `(n, m)`."""
        outputs, space, columns = self.network(inputs), self._space(), self._columns(inputs)
        if not isinstance(self.value, dict) and not isinstance(self.distance, dict):
            return _combine(self.value, self.distance, columns, outputs)
        space.check_output(outputs.shape, inputs.shape)
        parts = []
        for name, part in space.fields.items():
            value, distance = (of_field(given, name) for given in (self.value, self.distance))
            parts.append(_combine(value, distance, columns, outputs[:, part]))
        return ops.concatenate(parts, axis=1)

    def get_config(self):
        """The arguments; raises `ValueError` for a function that is not registered."""
        return super().get_config() | {
            "value": serialized("value", self.value),
            "distance": serialized("distance", self.distance),
        }


def policy(network):
    """The dtype policy of the first layer that computes."""
    return (computing_layers(network) or [network])[0].dtype_policy


def check_arguments(what, function, space):
    if function is None:
        return
    if isinstance(function, numbers.Real):
        number(what, function)
        return
    if not callable(function):
        raise ValueError(f"{what} is {shown(function)}: expected a function or a number.")
    for name in argument_names(function, what, "(t, x)"):
        if name not in space.coordinates:
            raise ValueError(
                f"{what} takes {name!r}, which is no coordinate: expected a function of "
                f"{', '.join(space.coordinates)}, or of some of them."
            )


def of_field(given, name):
    return given.get(name) if isinstance(given, dict) else given


def _combine(value, distance, columns, outputs):
    if distance is not None:
        outputs = evaluate("distance", distance, columns, outputs) * outputs
    if value is not None:
        outputs = evaluate("value", value, columns, outputs) + outputs
    return outputs


def called(what, function, columns, dtype):
    """What a function of coordinates returns, or a number, as a tensor of any shape."""
    if callable(function):
        names = argument_names(function, what, "(t, x)")
        function = function(**{name: columns[name] for name in names})
    return ops.convert_to_tensor(function, dtype)


def evaluate(what, function, columns, outputs):
    """A number or a tensor `(n, 1)` or `(n, m)`."""
    found = called(what, function, columns, outputs.dtype)
    shape = tuple(found.shape)
    if shape and (len(shape) != 2 or shape[1] not in (1, outputs.shape[1])):
        raise ValueError(
            f"{what} returned the shape {shape} for points of the shape "
            f"(n, {sum(column.shape[1] for column in columns.values())}): expected (n, 1), or "
            f"(n, {outputs.shape[1]}) as the network."
        )
    return found


# Saving ------------------------------------------------------------------------------------


def serialized(what, given):
    if isinstance(given, dict):
        return {name: serialized(f"{what} of {name!r}", one) for name, one in given.items()}
    if given is None or isinstance(given, numbers.Real):
        return given if given is None else float(given)
    name = getattr(given, "__name__", None)
    if name is not None and keras.saving.get_registered_name(given) == name:
        raise ValueError(
            f"{what} is a function that cannot be saved by value: define it with def and decorate "
            "it with @keras.saving.register_keras_serializable()."
        )
    return keras.saving.serialize_keras_object(given)
