"""Linear combinations of requests, whose factors are numbers or tensors."""

import math
import numbers

from kpinn.derivatives.names.factors import Factor
from kpinn.derivatives.names.operators import SUMS
from kpinn.derivatives.names.parsing import parse
from kpinn.derivatives.names.requests import Request


def combination(name, terms, space, directions=None):
    """The `Request` for a linear combination of requests on one field.

    Raises:
        ValueError: for terms on several fields, without numbers, or of other shapes than the field.
    """
    pairs = []
    for term, factor in terms.items():
        request = parse(term, space, directions)
        if request.operator not in (None, *SUMS):
            raise ValueError(
                f"{name!r} adds up {term!r}: only derivatives, laplacian_ and biharmonic_ have the "
                "shape of the field and can be added."
            )
        pairs.extend((part, request) for part in _factors_of(name, term, factor))
    fields = {request.field for _, request in pairs}
    if len(fields) != 1:
        raise ValueError(f"{name!r} adds up terms of {sorted(fields)}: expected one field.")
    return Request(name, fields.pop(), "combination", terms=tuple(pairs))


def _factors_of(name, term, factor):
    """The factor of a term as numbers and `Factor`s, to be added."""
    if isinstance(factor, numbers.Real) and math.isfinite(factor):
        return [float(factor)]
    if isinstance(factor, list) and all(isinstance(f, Factor | numbers.Real) for f in factor):
        return factor
    if not isinstance(factor, numbers.Real | str) and hasattr(factor, "shape"):
        return [Factor(id(factor), factor)]
    raise ValueError(
        f"{name!r} takes {term!r} times {factor!r}: expected a finite number, or an array, tensor "
        "or variable with one value, or with one for each point."
    )
