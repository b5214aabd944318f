"""From the derivatives that are asked for to the channels that carry them. Pure Python.

In the basis `e_a = D^a / a!` of symbols (see `symbols.py`) the product rule has no factors,
`e_a(f g) = sum of e_b(f) e_c(g) over b + c = a`, so that a set of symbols can be propagated through
products (and so through everything) if and only if its span contains every *contraction*
`e_a -> e_(a - 1_i)` of its members. The smallest such span is the space of channels. With a reduced
basis `q_k` (coefficient one at the *pivot* monomial `m_k`, zero at all other pivots) the structure
constants are read off: `q_k(f g)` is the sum of `q_k[m_i + m_j] q_i(f) q_j(g)`. They are exact
rationals.

The space of channels is the inverse system of Macaulay ("The algebraic theory of modular systems",
1916, chapter IV) of the symbols; dual numbers, hyper-dual numbers, truncated Taylor series and the
forward Laplacian (Li et al., "A computational framework for neural network-based variational Monte
Carlo with forward Laplacian", Nature Machine Intelligence 6, 2024) are examples of it.
"""

import copy
import functools
from fractions import Fraction

from kpinn.derivatives.channels.sums import not_carried, with_sums
from kpinn.derivatives.channels.symbols import VALUE, carried, combine, degree, without


class Algebra:
    """The smallest set of channels that carries given symbols through any function.

    Attributes:
        channels: tuple of symbols `q_k`, by ascending order; the first is the value itself.
        pivots: tuple of their monomials `m_k`.
        sums: tuple of the sums that have a channel; they follow those of `channels`.
        order: the highest order of a channel.
        products: for each channel a tuple of `(factor, rows)`, with the name of a factor, `None`
            for one, and rows `(i, j, constant)` with `0 < i <= j`: its part in the product of two
            nilpotent jets is the sum of `factor * constant * (a_i b_j + a_j b_i)` over them,
            `factor * constant * a_i b_i` where `i == j`.
        scaling: tuple of the names of the factors in products.
        seeds: dict from channel to its first derivatives, tuple of `(variable, factor, Fraction)`:
            in the channel of a coordinate stand the seeds of its own variable.
        factors: dict from the names of factors to tensors, see `with_factors`.

    Args:
        symbols: iterable of symbols.
        sums: iterable of sums.

    Example:

        laplacian = combine([(1, derivative((i, i))) for i in range(3)])
        len(Algebra([laplacian]).channels)  # 5: the value, three first derivatives, the Laplacian
    """

    def __init__(self, symbols, sums=()):
        symbols, sums = list(symbols), [dict(total) for total in sums]
        self._basis, self.sums = with_sums(symbols, sums) if sums else (carried(symbols), ())
        order = sorted(self._basis, key=lambda m: (degree(self._basis[m]), m))
        self.pivots = tuple(order)
        self.channels = tuple(self._basis[monomial] for monomial in order)
        parts = [symbol for total in self.sums for symbol in total.values()]
        self.order = max(map(degree, (*self.channels, *parts)))
        self.factors = {}
        self._index = {monomial: k for k, monomial in enumerate(order)}
        totals = [*({None: symbol} for symbol in self.channels), *self.sums]
        self.products = tuple(map(self._products, totals))
        names = dict.fromkeys(name for rows in self.products for name, _ in rows)
        self.scaling = tuple(name for name in names if name is not None)
        self.seeds = _first_derivatives(totals)

    def __len__(self):
        return len(self.channels) + len(self.sums)

    def with_factors(self, factors):
        """The same with tensors for the names of factors: scalars, or `(n, 1)`."""
        found = copy.copy(self)
        found.factors = factors
        return found

    def _products(self, total):
        rows = ((factor, self._rows(symbol)) for factor, symbol in total.items())
        return tuple((factor, found) for factor, found in rows if found)

    def _rows(self, symbol):
        found = {}
        for monomial, constant in symbol.items():
            for part in _divisors(monomial):
                i = self._index.get(part)
                j = self._index.get(_quotient(monomial, part))
                if i and j and i <= j:
                    found[i, j] = constant
        return tuple((i, j, constant) for (i, j), constant in sorted(found.items()))

    def read_sum(self, total):
        """A sum as a combination of channels: list of `(channel, factor, Fraction)`."""
        rest = not_carried(total, self._basis) if self.sums else {}
        found = [
            (k, factor, constant)
            for factor, symbol in total.items()
            for k, constant in self.read(_difference(symbol, rest.get(factor))).items()
        ]
        if rest:
            found.append((len(self.channels) + self.sums.index(rest), None, Fraction(1)))
        return found

    def read(self, symbol):
        """A symbol as a combination of channels: dict from channel to `Fraction`.

        Raises:
            ValueError: if the channels do not carry it.
        """
        parts = {k: symbol[m] for m, k in self._index.items() if symbol.get(m)}
        if combine((factor, self.channels[k]) for k, factor in parts.items()) != symbol:
            raise ValueError(f"the channels {self.channels} do not carry {symbol}.")
        return parts


def _first_derivatives(totals):
    found = {
        k: tuple(
            (monomial[0], factor, value)
            for factor, symbol in total.items()
            for monomial, value in symbol.items()
            if len(monomial) == 1
        )
        for k, total in enumerate(totals)
    }
    return {k: parts for k, parts in found.items() if parts}


def _difference(symbol, rest):
    return combine([(1, symbol), (-1, rest)]) if rest else symbol


@functools.lru_cache(maxsize=4096)
def _divisors(monomial):
    """All monomials that divide one."""
    found = {VALUE}
    for variable in monomial:
        found |= {tuple(sorted((*part, variable))) for part in found}
    return tuple(found)


def _quotient(monomial, part):
    for variable in part:
        monomial = without(monomial, variable)
    return monomial


@functools.lru_cache(maxsize=256)
def algebra(symbols, sums=()):
    """The `Algebra` of symbols and sums, kept.

    Args:
        symbols: frozenset of frozensets of the items of symbols.
        sums: tuple of tuples of pairs `(factor, frozenset of the items of a symbol)`.
    """
    totals = [{factor: dict(symbol) for factor, symbol in total} for total in sums]
    return Algebra([dict(symbol) for symbol in symbols], totals)
