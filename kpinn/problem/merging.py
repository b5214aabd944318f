"""Derivatives that a condition needs only in a sum with known factors are propagated as one.

`u_t + u u_x - nu u_xx` is affine in `u_t` and `u_xx` with factors that are no fields: numbers,
unknowns, or functions of the coordinates. So it is its own value with zeros in their place plus the
operator `u_t - nu u_xx` of the network, which takes one channel less than its terms.
"""

import dataclasses

import tensorflow as tf

from kpinn.derivatives.factors import Factor
from kpinn.derivatives.methods.taylor import Plan
from kpinn.derivatives.requests import SUMS, combination
from kpinn.problem.affine import Affine, affine


@dataclasses.dataclass(frozen=True)
class Merge:
    """What a condition gets in place of some arguments.

    Attributes:
        arguments: names of the arguments that are replaced by zeros.
        combinations: tuple of `Request`, whose values are added to the residual.
        monomials: dict from the names of their factors to the monomials of `affine`.
        affine: the `Affine` part of the condition.
    """

    arguments: frozenset = frozenset()
    combinations: tuple = ()
    monomials: dict = dataclasses.field(default_factory=dict)
    affine: Affine | None = None

    def with_values(self, known):
        """The same with tensors for the factors, from a dict of what does not depend on fields."""
        if not self.monomials:
            return self
        tensors = self.affine.values(self.monomials.values(), known)
        values = dict(zip(self.monomials, tensors, strict=True))

        def filled(factor):
            if not isinstance(factor, Factor):
                return factor
            return dataclasses.replace(factor, value=values[factor.name])

        combinations = [
            dataclasses.replace(r, terms=tuple((filled(f), term) for f, term in r.terms))
            for r in self.combinations
        ]
        return dataclasses.replace(self, combinations=tuple(combinations))

    def residual(self, function, values):
        """The residual of a condition from a dict of values."""
        zeros = {name: self._zero(name, values) for name in self.arguments}
        residual = function(values | zeros)
        for request in self.combinations:
            residual = residual + values[request.name]
        return residual

    def _zero(self, name, values):
        owner = next(r for r in self.combinations if name in {t.name for _, t in r.terms})
        return tf.zeros_like(values[owner.name])


NOTHING = Merge()


def wanted(functions, found):
    """The names that conditions are called with, and the combinations in place of others."""
    of = [(function, found.get(function.name, NOTHING)) for function in functions]
    names = [name for f, merge in of for name in f.arguments if name not in merge.arguments]
    return names, [request for _, merge in of for request in merge.combinations]


def merges(problem, functions, arrays):
    """The merges of conditions on one set of points, if they save channels.

    Args:
        problem: the `Problem`.
        functions: conditions.
        arrays: dict from name to tensor, the arrays of the points.

    Returns:
        A dict from the name of a condition to its `Merge`.
    """
    found = {f.name: _merge(problem, f, problem.shapes(f, arrays)) for f in functions}
    if count(problem, functions, found) < count(problem, functions, {}):
        return found
    return {}


def count(problem, functions, found):
    """Number of channels for the conditions' requests on the network, with given merges."""
    space = problem.network_space
    return len(Plan.of(requests(problem, functions, found), space).algebra)


def requests(problem, functions, found):
    """What conditions ask of the network, with given merges: a list of `Request`."""
    asked = {}
    for function in functions:
        merge = found.get(function.name, NOTHING)
        asked |= {request.name: request for request in merge.combinations}
        for name in function.arguments:
            request = None if name in merge.arguments else problem.network_request(name)
            if request is not None:
                asked[name] = request
    return list(asked.values())


def _merge(problem, function, shapes):
    asked = {name: problem.network_request(name) for name in function.arguments}
    candidates = {n: r for n, r in asked.items() if r is not None and _is_sum(r)}
    found = affine(function, shapes, candidates, known(problem, function), problem.dtype)
    groups, monomials = {}, {}
    for name, factor in found.factors.items():
        group = groups.setdefault(candidates[name].field, {})
        group[name] = _terms(function, found, factor, monomials)
    combinations = [
        combination(f"{function.name}: {field}", terms, problem.space)
        for field, terms in groups.items()
        if len(terms) > 1
    ]
    terms = [term for request in combinations for term in request.terms]
    used = {factor.name for factor, _ in terms if isinstance(factor, Factor)}
    monomials = {name: monomial for name, monomial in monomials.items() if name in used}
    return Merge(frozenset(term.name for _, term in terms), tuple(combinations), monomials, found)


def known(problem, function):
    """The arguments of a condition that do not depend on fields."""
    names = function.arguments
    of_fields = [n for n in names if problem.network_request(n) or problem.derived_field(n)]
    return [name for name in names if name not in of_fields]


def _terms(function, found, factor, monomials):
    """A factor as numbers and `Factor`s, of which those of one name are equal in all conditions."""
    terms = []
    for monomial, number in factor.items():
        parts = [(found.name(tensor) or (function.name, tensor), p) for tensor, p in monomial]
        name = tuple(sorted(parts, key=str))
        if monomial:
            monomials[name] = monomial
        terms.append(Factor(name, None, number) if monomial else number)
    return terms


def _is_sum(request):
    return request.operator in SUMS or (request.operator is None and bool(request.axes))
