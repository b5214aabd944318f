"""Channel counts of the literature, and the product rule of the structure constants."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from kpinn.derivatives.channels.algebra import Algebra
from kpinn.derivatives.channels.symbols import combine, contractions, degree, derivative

NU = Fraction(1, 100)


def power(variable, order):
    return derivative((variable,) * order)


def laplacian(dimension, first=0):
    return combine([(1, power(i, 2)) for i in range(first, first + dimension)])


def biharmonic(dimension):
    pairs = itertools.product(range(dimension), repeat=2)
    return combine([(1, derivative((i, i, j, j))) for i, j in pairs])


def all_of_order(dimension, order):
    monomials = itertools.combinations_with_replacement(range(dimension), order)
    return [derivative(monomial) for monomial in monomials]


T, X, Y = 0, 1, 2
CHANNELS = {  # derivatives.md, section 1.0, and closed formulas
    "u": ([], 1),
    "u_x": ([power(X, 1)], 2),
    "u_xx": ([power(X, 2)], 3),
    "u_xy": ([derivative((X, Y))], 4),
    "u_xxxx": ([power(X, 4)], 5),
    "sixth derivative": ([power(X, 6)], 7),
    **{f"Laplacian {d}": ([laplacian(d)], d + 2) for d in (2, 3, 10, 100)},
    "u_t and u_xx": ([power(T, 1), power(X, 2)], 4),
    "u_t - nu u_xx": ([combine([(1, power(T, 1)), (-NU, power(X, 2))])], 3),
    "u_tt - 4 u_xx": ([combine([(1, power(T, 2)), (-4, power(X, 2))])], 4),
    "Navier-Stokes 2-D": ([combine([(1, power(T, 1)), (-NU, laplacian(2, X))])], 4),
    "Navier-Stokes 3-D": ([combine([(1, power(T, 1)), (-NU, laplacian(3, X))])], 5),
    "u_t and u_xxx": ([power(T, 1), power(X, 3)], 5),
    "Korteweg-de Vries": ([combine([(1, power(T, 1)), (1, power(X, 3))])], 4),
    "Kuramoto-Sivashinsky": (
        [combine([(1, power(T, 1)), (1, power(X, 2)), (1, power(X, 4))])],
        5,
    ),
    **{f"Hessian {d}": (all_of_order(d, 2), (d + 1) * (d + 2) // 2) for d in (2, 3, 6)},
    **{f"fourth order {d}": (all_of_order(d, 4), math.comb(d + 4, 4)) for d in (2, 3)},
    "biharmonic 2": ([biharmonic(2)], 9),
    "biharmonic 3": ([biharmonic(3)], 14),
    "biharmonic 10": ([biharmonic(10)], 77),
    "two-dimensional KdV": (
        [derivative(a) for a in [(0, 2), (1, 1, 1, 2), (1, 1), (1, 2), (2, 2), (1,), (2,)]],
        11,
    ),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_number_of_channels(name):
    symbols, count = CHANNELS[name]
    assert len(Algebra(symbols)) == count


@pytest.mark.parametrize("name", CHANNELS)
def test_channels_carry_their_symbols_and_all_contractions(name):
    symbols, _ = CHANNELS[name]
    algebra = Algebra(symbols)
    assert algebra.order == max(map(degree, symbols), default=0)
    for symbol in (*symbols, *algebra.channels):
        for part in (symbol, *contractions(symbol).values()):
            read = combine((f, algebra.channels[k]) for k, f in algebra.read(part).items())
            assert read == part


def random_polynomial(dimension, order, rng):
    """Taylor coefficients at a point: a dict from monomial to integer."""
    return {
        monomial: int(rng.integers(-9, 9))
        for k in range(order + 1)
        for monomial in itertools.combinations_with_replacement(range(dimension), k)
    }


def product(a, b):
    found = {}
    for (left, x), (right, y) in itertools.product(a.items(), b.items()):
        monomial = tuple(sorted(left + right))
        found[monomial] = found.get(monomial, 0) + x * y
    return found


def applied(symbol, polynomial):
    return sum(factor * polynomial.get(monomial, 0) for monomial, factor in symbol.items())


@pytest.mark.parametrize("name", [name for name in CHANNELS if not name.endswith("0")])
def test_products_are_exact(name):
    """The structure constants against products of polynomials, in rational arithmetic."""
    symbols, _ = CHANNELS[name]
    algebra, rng = Algebra(symbols), np.random.default_rng(0)
    dimension = 1 + max((v for s in symbols for m in s for v in m), default=0)
    f, g = (random_polynomial(dimension, algebra.order, rng) for _ in range(2))
    of_f, of_g, of_both = (
        [applied(symbol, p) for symbol in algebra.channels] for p in (f, g, product(f, g))
    )
    assert of_both[0] == of_f[0] * of_g[0]
    for k in range(1, len(algebra)):
        total = of_f[0] * of_g[k] + of_f[k] * of_g[0]
        for i, j, constant in dict(algebra.products[k]).get(None, ()):
            total += constant * (of_f[i] * of_g[j] + (of_f[j] * of_g[i] if i != j else 0))
        assert total == of_both[k]


SUMS = {  # symbols, sums with factors, number of channels
    "u_t - nu u_xx": ([power(X, 1)], [{None: power(T, 1), "nu": power(X, 2)}], 3),
    "of one order": ([], [{"a": power(0, 2), "b": power(1, 2), "c": power(2, 2)}], 5),
    "with another term of a number": (
        [],
        [{None: combine([(1, power(0, 2)), (3, power(1, 1))]), "b": power(1, 2)}],
        4,
    ),
    "of fourth order": ([], [{None: power(0, 1), "a": power(1, 4), "b": laplacian(2)}], 6),
    "of a biharmonic operator": ([], [{"a": biharmonic(2), "b": power(0, 4)}], 10),
    "one is carried": ([power(1, 2)], [{None: power(0, 1), "nu": power(1, 2)}], 4),
    "all are carried": ([power(1, 2), power(0, 1)], [{"a": power(0, 1), "b": power(1, 2)}], 4),
    "with lower terms": (
        [],
        [{None: power(0, 1), "a": combine([(1, power(1, 3)), (2, {(): 1}), (3, power(1, 2))])}],
        4,
    ),
    "equal ones": ([], [{None: power(0, 1), "nu": power(1, 2)}] * 2, 3),
    "no gain": (
        [],
        [{None: power(0, 1), "nu": power(1, 2)}, {None: power(0, 1), "k": power(1, 2)}],
        4,
    ),
    "two of three": (
        [],
        [{"a": power(0, 2), "b": power(1, 2), "c": power(2, 2)}, {"d": power(0, 2)}],
        6,
    ),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_with_factors_take_one_channel(name):
    """Products of polynomials, in rational arithmetic, with numbers for the factors."""
    symbols, sums, count = SUMS[name]
    algebra, rng = Algebra(symbols, sums), np.random.default_rng(0)
    assert len(algebra) == count
    factors = {None: 1, "a": 3, "b": Fraction(-2, 7), "c": 0, "d": 11, "k": 4, "nu": -5}

    def channels(polynomial):
        parts = [{None: symbol} for symbol in algebra.channels]
        return [total_of(total, polynomial) for total in (*parts, *algebra.sums)]

    def total_of(total, polynomial):
        return sum(factors[name] * applied(symbol, polynomial) for name, symbol in total.items())

    f, g = (random_polynomial(3, algebra.order, rng) for _ in range(2))
    of_f, of_g, of_both = map(channels, (f, g, product(f, g)))
    for k in range(1, len(algebra)):
        total = of_f[0] * of_g[k] + of_f[k] * of_g[0]
        for name, rows in algebra.products[k]:
            for i, j, constant in rows:
                both = of_f[i] * of_g[j] + (of_f[j] * of_g[i] if i != j else 0)
                total += factors[name] * constant * both
        assert total == of_both[k]
    for total in sums:
        read = sum(of_f[k] * factors[name] * c for k, name, c in algebra.read_sum(total))
        assert read == total_of(total, f)
    for k, parts in algebra.seeds.items():
        for variable in range(3):
            slope = sum(factors[name] * c for v, name, c in parts if v == variable)
            assert slope == channels({(variable,): 1})[k]


def test_what_the_channels_do_not_carry_is_refused():
    with pytest.raises(ValueError, match="do not carry"):
        Algebra([laplacian(2)]).read(power(0, 2))


def test_floats_are_taken_as_they_are():
    viscosity = 0.01 / math.pi
    algebra = Algebra([combine([(1, power(T, 1)), (-viscosity, power(X, 2))])])
    assert len(algebra) == 3
    (symbol,) = [s for s in algebra.channels if degree(s) == 2]
    assert symbol == {(X, X): 1, (T,): -1 / (2 * Fraction(viscosity))}
