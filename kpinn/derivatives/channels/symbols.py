"""Linear differential operators at a point, and the spans that they generate. Pure Python.

Such an operator is a *symbol*: a polynomial in the partial derivatives. It is kept in the
normalised basis `e_a = D^a / a!` (Taylor coefficients), as a dict from monomial to `Fraction`; a
monomial is the sorted tuple of its variables, `(0, 0, 1)` for `e_xxy`.
"""

import collections
import math
from fractions import Fraction

VALUE = ()  # the monomial of the function itself


def derivative(variables):
    """The symbol of a partial derivative, `D^a = a! e_a`.

    Args:
        variables: sequence of variables (integers), `(0, 0)` for the second derivative.
    """
    monomial = tuple(sorted(variables))
    factorials = map(math.factorial, collections.Counter(monomial).values())
    return {monomial: Fraction(math.prod(factorials))}


def combine(terms):
    """The sum of `factor * symbol` over pairs `(factor, symbol)`."""
    total = collections.defaultdict(Fraction)
    for factor, symbol in terms:
        for monomial, coefficient in symbol.items():
            total[monomial] += Fraction(factor) * coefficient
    return {monomial: value for monomial, value in total.items() if value}


def contractions(symbol):
    """All `e_a -> e_(a - 1_i)` of a symbol, as dict from variable to symbol."""
    found = collections.defaultdict(dict)
    for monomial, coefficient in symbol.items():
        for variable in set(monomial):
            found[variable][without(monomial, variable)] = coefficient
    return found


def without(monomial, variable):
    """A monomial divided by a variable in it."""
    position = monomial.index(variable)
    return monomial[:position] + monomial[position + 1 :]


def degree(symbol):
    """The order of a differential operator."""
    return max(map(len, symbol), default=0)


def carried(symbols):
    """A reduced basis of the smallest space of channels that carries symbols."""
    return _reduced_basis(_closure(symbols))


def _closure(symbols):
    """The symbols and all their contractions, each once, and the value."""
    waiting, seen = [{VALUE: Fraction(1)}, *symbols], {}
    while waiting:
        symbol = waiting.pop()
        key = frozenset(symbol.items())
        if symbol and key not in seen:
            seen[key] = symbol
            waiting.extend(contractions(symbol).values())
    return list(seen.values())


def _reduced_basis(symbols):
    """A reduced basis of the span of symbols: dict from pivot monomial to symbol."""
    basis = {}
    for symbol in sorted(symbols, key=lambda s: (degree(s), len(s), sorted(s))):
        symbol = reduced(symbol, basis)
        if symbol:
            pivot = min(symbol, key=lambda m: (-len(m), -abs(symbol[m]), m))
            symbol = {monomial: value / symbol[pivot] for monomial, value in symbol.items()}
            for other, known in basis.items():
                if pivot in known:
                    basis[other] = combine([(1, known), (-known[pivot], symbol)])
            basis[pivot] = symbol
    return basis


def reduced(symbol, basis):
    """The part of a symbol that a reduced basis does not span."""
    terms = [(-value, basis[monomial]) for monomial, value in symbol.items() if monomial in basis]
    return combine([(1, symbol), *terms])
