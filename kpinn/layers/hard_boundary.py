"""Conditions on the parts of a domain that hold by the form of the network."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kpinn import derivatives as engine
from kpinn.layers import gates
from kpinn.layers.boundary_geometry import geometry_of
from kpinn.layers.boundary_values import Condition, Initial, Neumann, Robin, groups_of
from kpinn.layers.hard import OverNetwork, check_arguments, serialized
from kpinn.options import shown

VALUES, DIRECTION = "values", "direction"
ALONG = f"{VALUES}_{DIRECTION}"


@keras.saving.register_keras_serializable(package="kpinn.layers")
class HardBoundary(OverNetwork):
    """A network with conditions that hold exactly on named parts of a domain.

    Values (Dirichlet), derivatives along the outward normal (Neumann, Robin) and initial values
    hold to rounding whatever the weights are, so that no condition of the PINN needs to say so. On
    parts that are not named the network is free. Where two parts with different conditions meet,
    at a corner, values must agree; second derivatives may grow towards it like one over the
    distance. One function that is right on both, as a profile at an inlet that is zero on the
    walls, is given to both, since few points near a corner can spoil the training. Neumann's
    and Robin's take first derivatives of the network, so that a step takes a few times as long.
    What is periodic is a `PeriodicEmbedding` in front.

    Args:
        network: Keras model or layer `(n, d) -> (n, m)`; its weights are this layer's weights.
        domain: a domain of `kpinn.domains`, whose boundary lies on planes and quadrics (lines and
            conics in the plane): boxes, balls, ellipsoids, cylinders, cones, polygons, moved,
            turned, combined, also times an interval of time.
        conditions: dict from parts to what holds there. A part is what `domain.boundary(name)`
            accepts, `"boundary"` for all of it, or the name of the time for its start. What
            holds is a number or a function for a value, `Neumann(...)`, `Robin(...)`, at the start
            also `Initial(value, rate)`; or a dict of these by field. Functions have arguments named
            like coordinates, columns `(n, 1)`, and return `(n, 1)` or `(n, m)`.
        coordinates: names of the columns of the input, `"t x y"`.
        fields: names of the columns of the output, `"u v p"`, if there are dicts by field; on a
            part, a field that is not in its dict is free.
        **kwargs: of `keras.layers.Layer`; `dtype` is by default that of the network.

    Input shape: `(n, d)`.

    Output shape: `(n, m)`.

    Raises:
        ValueError: for names without meaning, functions with values of another shape, or a part
            for which there is no smooth distance function. On saving, for a function that is not
            registered with Keras.

    Example:

        network = kpinn.layers.HardBoundary(
            kpinn.networks.MLP(units=20, depth=4),
            flow,
            {"inlet": lambda y: y * (0.41 - y), "cylinder": 0.0, "walls": Neumann(0.0)},
            coordinates="x y",
        )

    References:
        Sukumar & Srivastava, "Exact imposition of boundary conditions with distance functions in
        physics-informed deep neural networks" (2022); Rvachev & Sheiko, "R-functions in boundary
        value problems in mechanics" (1995).
    """

    inner = ("network", "conditions")

    def __init__(self, network, domain, conditions, coordinates, fields=None, **kwargs):
        super().__init__(network, coordinates, fields, **kwargs)
        space = self._space()
        if not isinstance(conditions, dict) or not conditions:
            raise ValueError(
                f"conditions is {shown(conditions)}: expected a dict from parts of the domain to "
                "what holds there, such as {'cylinder': 0.0}."
            )
        self.conditions = dict(conditions)
        self._geometry = geometry_of(domain, tuple(self.conditions), space)
        for part, given in self.conditions.items():
            self._check_condition(part, given, space)
        self._groups = groups_of(self.conditions, self.fields and space.fields)

    def _check_condition(self, part, given, space):
        if isinstance(given, dict):
            self._check_fields(f"the condition on {part!r}", given or [None])
        given = given if isinstance(given, dict) else {None: given}
        for one in given.values():
            _check_kind(part, one, part in self._geometry.starts)
            arguments = one.arguments() if isinstance(one, Condition) else {"condition": one}
            for what, function in arguments.items():
                if function is None:
                    raise ValueError(
                        f"{what} on {part!r} is None: expected a function or a number. A part that "
                        "is not named is free."
                    )
                check_arguments(f"{what} on {part!r}", function, space)

    @tf.autograph.experimental.do_not_convert  # it would take the engine for code to rewrite
    def call(self, inputs):
        """The fields `(n, m)`."""
        if self.fields is None:
            return self._fields_of(inputs, self._groups[0], None)
        space, found = self._space(), {}
        for group in self._groups:
            columns = [i for name in group.fields for i in _indices(space.fields[name])]
            values = self._fields_of(inputs, group, columns)
            found |= {column: values[:, i : i + 1] for i, column in enumerate(columns)}
        return ops.concatenate([found[column] for column in sorted(found)], axis=1)

    def _fields_of(self, inputs, group, columns):
        """The fields of a group, which are in these columns; None for all of them."""

        def held(points):
            """Values that hold where they are given, without what concerns derivatives."""
            outputs = self.network(points)
            if columns is not None:
                space = self._space()
                space.check_output(outputs.shape, points.shape)
                outputs = ops.take(outputs, np.array(columns), axis=1)
            return self._with_values(points, group, outputs)

        return self._with_fluxes(inputs, group, held) if group.fluxes else held(inputs)

    def _with_values(self, points, group, outputs):
        if not group.values:
            return outputs
        columns = self._columns(points)
        rows, pieces = self._geometry.rows(columns), self._geometry.pieces
        distances = [pieces[part].distance(rows, ops) for part in group.values]
        orders = [group.order(part) for part in group.values]
        weights = dict(zip(group.values, gates.interpolation(distances, orders), strict=True))
        alike = group.alike()
        found = gates.free(distances, orders) * outputs
        for part, *others in alike:
            value = group.evaluated(part, "value", columns, outputs)
            if group.order(part) == 2:
                rate = group.evaluated(part, "rate", columns, outputs)
                value = value + pieces[part].size * pieces[part].distance(rows, ops) * rate
            weight = 1.0 if len(alike) == 1 else sum(weights[each] for each in (part, *others))
            found = found + weight * value
        return found

    def _with_fluxes(self, inputs, group, held):
        """The values, corrected near the parts where a derivative along the normal is given.

        With the distance `d` from such a part and the inner normal `grad d`, it is
        `v + d (-grad d grad v + coefficient v - value)`, whose outward derivative is
        `value - coefficient v`, times a gate that leaves the other parts as they are.
        """
        columns = self._columns(inputs)
        gated, normals, counts = self._geometry.gated(group, self._geometry.rows(columns))
        direction = ops.sum(gated[:, :, None] * normals, axis=1)
        vectors = self._geometry.in_columns(direction, self._space(), columns)
        width = self._width(group, inputs)
        fields = VALUES if width == 1 else f"{VALUES}[{width}]"
        found = engine.derivatives(
            held, {**columns, DIRECTION: vectors}, [VALUES, ALONG], self.coordinates, fields
        )
        values, corrected, start = found[VALUES], found[VALUES] - found[ALONG], 0
        for part, count in zip(group.fluxes, counts, strict=True):
            gate = ops.sum(gated[:, start : start + count], axis=1, keepdims=True)
            start += count
            coefficient = group.evaluated(part, "coefficient", columns, values)
            value = group.evaluated(part, "value", columns, values)
            corrected = corrected + gate * (coefficient * values - value)
        return corrected

    def _width(self, group, inputs):
        """Number of columns of the fields of a group."""
        if group.fields is not None:
            return sum(len(_indices(part)) for part in group.fields.values())
        return self.network.compute_output_shape(tuple(inputs.shape))[-1]

    def get_config(self):
        """The arguments, the domain as surfaces; `ValueError` for functions without a name."""
        return super().get_config() | {
            "domain": self._geometry.config(),
            "conditions": {
                part: serialized(f"the condition on {part!r}", given)
                for part, given in self.conditions.items()
            },
        }


def _indices(part):
    return range(part.start, part.stop)


def _check_kind(part, given, is_start):
    if isinstance(given, Initial) and not is_start:
        raise ValueError(f"{given} is a condition at the start of time, not on {part!r}.")
    if isinstance(given, Neumann | Robin) and is_start:
        raise ValueError(
            f"{given} is a condition on a boundary in space, not on {part!r}: expected a value, or "
            "Initial(value, rate)."
        )
