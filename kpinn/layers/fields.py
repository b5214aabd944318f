"""One network from several, each with fields and coordinates of its own."""

import keras
from keras import ops

from kpinn.derivatives.inference import inference
from kpinn.derivatives.names.declarations import split_names
from kpinn.derivatives.names.space import Space
from kpinn.derivatives.precision import computing_layers
from kpinn.layers.hard import policy
from kpinn.options import names as names_of
from kpinn.options import shown
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn.networks")
class Fields(FromConfig, keras.Model):
    """One network from several: each has fields of its own, and sees the coordinates that it names.

    An unknown coefficient `k(x, y)`, materials on both sides of an interface, a moving boundary
    `s(t)`. As the network of a `kpinn.PINN`, a network that no condition asks for is not evaluated,
    and derivatives with respect to coordinates that it does not see are zeros, which cost nothing.

    Args:
        networks: dict from the names of fields, `"u v p"` or `"v[2]"`, to a Keras layer or model
            from `(n, d)` to as many columns, or to a pair of one and the names of its coordinates
            in the order in which it takes them; by default all.
        coordinates: names of the columns, those of the PINN with its parameters, `"t x y"`.
        name: name of the model.
        **kwargs: of `keras.Model`.

    Raises:
        ValueError: for networks that are none, names without meaning, or different dtypes; when it
            is called, for a network with another number of columns than its fields.

    Example:

        network = kpinn.networks.Fields(
            {"u": kpinn.networks.MLP(), "k": (kpinn.networks.MLP(), "x")}, coordinates="t x"
        )
        pinn = Diffusion(network)  # with fields = "u k"
    """

    inner = ("networks",)

    def __init__(self, networks, coordinates, name=None, **kwargs):
        entries = _entries(networks)
        super().__init__(name=name, **{"dtype": _dtype(entries)} | kwargs)
        names_of("coordinates", coordinates, "t x")
        self.coordinates = coordinates
        self.networks = [network for _, network, _ in entries]
        self._named = [(fields, seen) for fields, _, seen in entries]
        self.space = Space(coordinates, " ".join(fields for fields, _ in self._named))
        self.columns = [self._columns_of(seen) for _, seen in self._named]
        self._spaces = [Space(_declared(self.space, seen), fields) for fields, seen in self._named]

    def _columns_of(self, seen):
        """The columns of the coordinates that a network sees, as a list."""
        names = self.space.coordinates if seen is None else split_names(seen)
        unknown = [name for name in names if name not in self.space.coordinates]
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is none of the coordinates {', '.join(self.space.coordinates)}."
            )
        parts = [self.space.coordinates[name] for name in names]
        return [column for part in parts for column in range(part.start, part.stop)]

    @property
    def parts(self):
        """Pairs of each network and the names of its fields."""
        names = [fields for fields, _ in self._named]
        return list(zip(self.networks, names, strict=True))

    def part(self, number, points, training=False):
        """The fields of one network, `(n, m)`.

        Args:
            number: which one.
            points: `(n, d)`, with all coordinates.
            training: as in Keras.
        """
        seen = ops.take(points, self.columns[number], axis=1)
        if self.columns[number] == list(range(self.space.input_size)):
            seen = points
        function = inference(self.networks[number], self._spaces[number], training)
        fields = function(seen)
        self._spaces[number].check_output(fields.shape, seen.shape)
        return fields

    def build(self, input_shape):
        for network, columns in zip(self.networks, self.columns, strict=True):
            if not network.built:
                network.build((*input_shape[:-1], len(columns)))

    def call(self, points, training=False):
        """All fields `(n, m)` at points `(n, d)`, in the order of the networks."""
        numbers = range(len(self.networks))
        return ops.concatenate([self.part(i, points, training) for i in numbers], axis=1)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        pairs = zip(self._named, self.networks, strict=True)
        networks = [[fields, serialize(network), seen] for (fields, seen), network in pairs]
        return super().get_config() | {"networks": networks, "coordinates": self.coordinates}


def _dtype(entries):
    """The dtype in which all networks compute."""
    found = {
        layer.compute_dtype: network
        for _, network, _ in entries
        for layer in computing_layers(network)
    }
    if len(found) > 1:
        pairs = (f"{network.name!r} in {dtype}" for dtype, network in found.items())
        raise ValueError(f"the networks compute {' and '.join(pairs)}: make all with one dtype.")
    return policy(entries[0][1])


def _entries(networks):
    """Triples of fields, network and names of coordinates, of a dict or of what a config has."""
    if not isinstance(networks, dict | list | tuple) or not networks:
        raise ValueError(
            f"networks is {shown(networks)}: expected a dict from fields to networks, such as "
            "{'u': network, 'k': (other, 'x')}."
        )
    if isinstance(networks, dict):
        networks = [
            (fields, *given) if isinstance(given, tuple | list) else (fields, given, None)
            for fields, given in networks.items()
        ]
    found = []
    for entry in networks:
        entry = entry if isinstance(entry, tuple | list) else (entry,)
        if len(entry) != 3 or not isinstance(entry[1], keras.layers.Layer):
            raise ValueError(
                f"networks has {shown(entry)}: expected for the names of fields a Keras layer or "
                "model, or a pair of one and the names of its coordinates."
            )
        fields, network, seen = entry
        names_of("fields", fields, "u v")
        if seen is not None:
            names_of(f"coordinates of {fields!r}", seen, "x y")
        found.append((fields, network, seen))
    return found


def _declared(space, seen):
    """Coordinates as they are declared, `"t x[3]"`."""
    names = space.coordinates if seen is None else split_names(seen)
    sizes = {name: space.coordinates[name].stop - space.coordinates[name].start for name in names}
    return " ".join(f"{name}[{size}]" for name, size in sizes.items())
