"""Derivatives that a condition needs only in a sum with known factors are propagated as one.

`u_t + u u_x - nu u_xx` is affine in `u_t` and `u_xx` with factors that are no fields: numbers,
unknowns, or functions of the coordinates. So it is its own value with zeros in their place plus the
operator `u_t - nu u_xx` of the network, which takes one channel less than its terms.
"""

import dataclasses

import tensorflow as tf

from kpinn.derivatives.channels.plan import Plan
from kpinn.derivatives.names.combinations import combination
from kpinn.derivatives.names.factors import Factor
from kpinn.derivatives.names.operators import SUMS
from kpinn.problem.affine import Affine, affine
from kpinn.problem.arguments import Array, At, Quantity


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


def wanted(problem, functions, found, widths):
    """What conditions are called with, and the combinations in place of some of it."""
    of = [(function, found.get(function.name, NOTHING)) for function in functions]
    asked = [
        argument
        for function, merge in of
        for argument in problem.arguments_at(function, widths)
        if argument.name not in merge.arguments
    ]
    return asked, [request for _, merge in of for request in merge.combinations]


def merges(problem, functions, widths):
    """The merges of conditions on one set of points, if they save channels.

    Args:
        problem: the `Problem`.
        functions: conditions.
        widths: dict from the arrays of the points to their numbers of columns.

    Returns:
        A dict from the name of a condition to its `Merge`.
    """
    found = {f.name: _merge(problem, f, widths) for f in functions}
    if count(problem, functions, found) < count(problem, functions, {}):
        return found
    return {}


def count(problem, functions, found):
    """Number of channels for the conditions' requests on the network, with given merges."""
    parts = problem.by_part(requests(functions, found))
    return sum(len(Plan.of(asked, part.space).algebra) for part, asked in parts)


def requests(functions, found):
    """What conditions ask of the network, with given merges: a list of `Request`."""
    asked = {}
    for function in functions:
        merge = found.get(function.name, NOTHING)
        asked |= {request.name: request for request in merge.combinations}
        for name, request in network_requests(function.arguments).items():
            if name not in merge.arguments:
                asked[name] = request
    return list(asked.values())


def network_requests(arguments):
    """The requests on fields of the network among arguments, by name."""
    found = [a for a in arguments if isinstance(a, Quantity | Array) and not a.derived]
    return {argument.name: argument.request for argument in found if argument.request is not None}


def _merge(problem, function, widths):
    arguments = problem.arguments_at(function, widths)
    shapes = {argument.name: problem.names.shape(argument, widths) for argument in arguments}
    asked = network_requests(arguments)
    candidates = {name: request for name, request in asked.items() if _is_sum(request)}
    before = [argument.name for argument in known(problem, function, widths)]
    plain = problem.stand_in(function, widths)
    found = affine(plain, shapes, candidates, before, problem.dtype)
    directions = problem.names.directions(widths)
    groups, monomials = {}, {}
    for name, factor in found.factors.items():
        group = groups.setdefault(candidates[name].field, {})
        group[name] = _terms(function, found, factor, monomials)
    combinations = [
        combination(f"{function.name}: {field}", terms, problem.space, directions)
        for field, terms in groups.items()
        if len(terms) > 1
    ]
    terms = [term for request in combinations for term in request.terms]
    used = {factor.name for factor, _ in terms if isinstance(factor, Factor)}
    monomials = {name: monomial for name, monomial in monomials.items() if name in used}
    return Merge(frozenset(term.name for _, term in terms), tuple(combinations), monomials, found)


def known(problem, function, widths):
    """The arguments of a condition that do not depend on fields."""
    arguments = problem.arguments_at(function, widths)
    return [argument for argument in arguments if not isinstance(argument, At | Quantity)]


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
