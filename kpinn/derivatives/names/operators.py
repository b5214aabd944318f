"""Operators over the spatial coordinates, and the partial derivatives that they are made of."""

import functools
import itertools

OPERATORS = ("grad", "laplacian", "hessian", "biharmonic", "div", "curl", "jac")
SUMS = ("laplacian", "biharmonic")  # operators that are sums of derivatives of each component


def check_operator(name, operator, field, space):
    """Raises `ValueError` for an operator over space on a field that it does not fit."""
    if field not in space.fields:
        raise ValueError(
            f"{name!r}: {field!r} is not a field, and {operator}_ takes a field. There are "
            f"{space.describe()}."
        )
    dimension, size = len(space.spatial), space.size(field)
    if dimension == 0:
        raise ValueError(
            f"{name!r} is an operator over the spatial coordinates, but there are none beside "
            f"time{' and parameters' * bool(space.parameters)}: {space.describe()}."
        )
    if operator in ("grad", "hessian") and size != 1:
        raise ValueError(f"{name!r} takes a scalar field; for {field!r} use jac_{field}.")
    if operator == "div" and size != dimension:
        raise ValueError(
            f"{name!r} takes a field with one component per spatial coordinate ({dimension}), "
            f"but {field!r} has {size}."
        )
    if operator == "curl" and (size, dimension) not in ((2, 2), (3, 3)):
        raise ValueError(
            f"{name!r} takes a field with two components in two spatial dimensions or three in "
            f"three, but {field!r} has {size} in {dimension}."
        )


def operator_partials(operator, field, space):
    """The partial derivatives that an operator on a field is made of, as pairs `(column, axes)`."""
    columns = range(space.fields[field].start, space.fields[field].stop)
    every = _operator_axes(operator, space.spatial)
    if operator == "div":
        return list(zip(columns, every, strict=True))
    if operator == "curl":
        return [(c, a) for (c, a) in itertools.product(columns, every) if not _same(c, a, space)]
    return list(itertools.product(columns, every))


def operator_shape(operator, size, dimension):
    """Shape of the value at a point, of an operator on a field of `size` components."""
    shapes = {
        "grad": (dimension,),
        "hessian": (dimension, dimension),
        "jac": (size, dimension),
        "div": (1,),
        "curl": (1,) if dimension == 2 else (3,),
    }
    return shapes.get(operator, (size,))


@functools.lru_cache(maxsize=1024)
def _operator_axes(operator, spatial):
    if operator in ("grad", "jac", "div", "curl"):
        return tuple((i,) for i in spatial)
    if operator == "laplacian":
        return tuple((i, i) for i in spatial)
    if operator == "hessian":
        return tuple(itertools.combinations_with_replacement(spatial, 2))
    pairs = itertools.combinations_with_replacement(spatial, 2)  # biharmonic
    return tuple((i, i, j, j) for i, j in pairs)


def _same(column, axes, space):
    start = next(part.start for part in space.fields.values() if part.start <= column < part.stop)
    return space.spatial.index(axes[0]) == column - start
