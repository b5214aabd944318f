"""Fields that are given as functions of the coordinates, in the place of a network."""

import keras
from keras import ops

from kpinn.derivatives.names.space import Space
from kpinn.layers.hard import called, check_arguments, serialized
from kpinn.options import names, optional, shown
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Formulas(FromConfig, keras.layers.Layer):
    """Fields that are given as functions of the coordinates: a layer without weights.

    Args:
        formulas: function whose arguments are named like coordinates, from columns `(n, 1)` to all
            fields `(n, m)`; or a dict from each field with `k` components to a function with values
            `(n, k)` or a number.
        coordinates: names of the columns of the input, `"t x"`.
        fields: names of the columns of the output, `"u v[2]"`.
        parameters: names of the columns behind the coordinates that are no space, or `None`.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`.

    Output shape: `(n, m)`.

    Raises:
        ValueError: for fields without a formula, names without meaning, values of another shape.
    """

    inner = ("formulas",)

    def __init__(self, formulas, coordinates, fields, parameters=None, **kwargs):
        super().__init__(**kwargs)
        self.formulas = formulas
        self.coordinates = names("coordinates", coordinates, "t x")
        self.fields = names("fields", fields, "u v")
        self.parameters = optional(names, "parameters", parameters, "mu")
        space = self._space()
        if not isinstance(formulas, dict):
            if not callable(formulas):
                raise ValueError(
                    f"solution is {shown(formulas)}: expected a function of the coordinates, or a "
                    f"dict with one for each field. There are {space.describe()}."
                )
            check_arguments("solution", formulas, space)
            return
        if set(formulas) != set(space.fields):
            raise ValueError(
                f"solution has {', '.join(map(repr, formulas)) or 'nothing'}: expected a function "
                f"or a number for each of the fields {', '.join(map(repr, space.fields))}."
            )
        for name, formula in formulas.items():
            if formula is None:
                raise ValueError(f"solution of {name!r} is None: expected a function or a number.")
            check_arguments(f"solution of {name!r}", formula, space)

    def _space(self):
        return Space(self.coordinates, self.fields, self.parameters)

    def call(self, inputs):
        """The fields `(n, m)`."""
        space = self._space()
        columns = {name: inputs[:, part] for name, part in space.coordinates.items()}
        if not isinstance(self.formulas, dict):
            return _values("solution", self.formulas, columns, inputs, space.output_size)
        parts = [
            _values(f"solution of {name!r}", self.formulas[name], columns, inputs, space.size(name))
            for name in space.fields
        ]
        return ops.concatenate(parts, axis=1)

    def compute_output_shape(self, input_shape):
        """`(n, m)`."""
        return (input_shape[0], self._space().output_size)

    def get_config(self):
        """The arguments; raises `ValueError` for a function that is not registered."""
        return super().get_config() | {
            "formulas": serialized("solution", self.formulas),
            "coordinates": self.coordinates,
            "fields": self.fields,
            "parameters": self.parameters,
        }


def _values(what, formula, columns, inputs, size):
    """The values of one formula, `(n, size)`; a number is the same at all points."""
    value = called(what, formula, columns, inputs.dtype)
    shape = tuple(value.shape)
    if shape and (len(shape) != 2 or shape[1] != size):
        raise ValueError(
            f"{what} returned the shape {shape} for columns (n, 1): expected (n, {size}); several "
            "components are put side by side with keras.ops.concatenate([a, b], axis=1)."
        )
    return value if shape else value * ops.tile(ops.ones_like(inputs[:, :1]), (1, size))
