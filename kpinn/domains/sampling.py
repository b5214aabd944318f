"""Pure functions that place points: designs in the unit cube, grids and allocation.

A design is a function `(n, dims, rng) -> (n, dims)` with values in [0, 1]. `METHODS` names them;
to add one, assign to the table: `kpinn.domains.sampling.METHODS["hammersley"] = hammersley`.
"""

import operator

import numpy as np
import scipy  # not scipy.stats, which is slow to load, and loads when it is first named


def uniform(n, dims, rng):
    """Independent, uniformly distributed points."""
    return rng.random((n, dims))


def latin_hypercube(n, dims, rng):
    """One point in each of the `n` slices of every axis (McKay, Beckman & Conover, 1979)."""
    slices = rng.permuted(np.tile(np.arange(n), (dims, 1)), axis=1).T
    return (slices + rng.random((n, dims))) / n


def sobol(n, dims, rng):
    """The first `n` points of a scrambled Sobol sequence (Owen, 1998).

    A Sobol sequence is balanced only in blocks of a power of two, so the smallest such block
    that holds `n` points is drawn and cut. `n = 2**m` keeps the full balance.

    Raises:
        ValueError: for more dimensions than are tabulated.
    """
    qmc = scipy.stats.qmc
    if dims > qmc.Sobol.MAXDIM:
        raise ValueError(
            f"Sobol sequences are tabulated up to {qmc.Sobol.MAXDIM} dimensions, got {dims}. "
            "Use method='latin_hypercube' or method='uniform'."
        )
    block = qmc.Sobol(dims, scramble=True, seed=rng).random_base2((n - 1).bit_length())
    return block[:n]


def halton(n, dims, rng):
    """The first `n` points of a scrambled Halton sequence (Owen, 2017); any `n` is as balanced."""
    return scipy.stats.qmc.Halton(dims, scramble=True, seed=rng).random(n)


METHODS = {"uniform": uniform, "latin_hypercube": latin_hypercube, "sobol": sobol, "halton": halton}


def generator(seed=None):
    """The numpy Generator of a seed.

    Args:
        seed: int, numpy `Generator` (used and advanced), or None. None takes the seed from
            numpy's global random state, so that `keras.utils.set_random_seed` makes the draw
            reproducible.

    Returns:
        A numpy `Generator`.

    Raises:
        TypeError, ValueError: if `seed` is something else or negative.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if seed is None:
        return np.random.default_rng(np.random.randint(0, 2**32, size=4, dtype=np.uint64))
    return np.random.default_rng(_integer(seed, "seed", smallest=0, other=", a Generator or None"))


def count(n, name="n", smallest=1, method=None):
    """`n` as a Python int, or an error which says what is wrong with it."""
    if isinstance(n, dict):
        raise TypeError(
            f"Points per coordinate are for method='grid'; method={method!r} takes the number "
            f"of all points, got n={n}."
        )
    return _integer(n, name, smallest)


def check_method(method):
    """Raises `ValueError` for a method that there is not."""
    if not isinstance(method, str) or method not in (*METHODS, "grid"):
        raise ValueError(f"Unknown method={method!r}. Use one of {(*METHODS, 'grid')}.")


def unit(n, dims, method, rng):
    """Points `(n, dims)` of a named design in the unit cube; no random number where it is empty."""
    return METHODS[method](n, dims, rng) if n and dims else np.empty((n, dims))


def grid(lower, upper, counts):
    """The tensor grid with `counts[i]` points on axis `i`, both ends included.

    Args:
        lower, upper: corners, `(dims,)`.
        counts: points on each axis, `dims` ints.

    Returns:
        Array `(prod(counts), dims)`; the last axis varies fastest.
    """
    return tensor([np.linspace(a, b, k) for a, b, k in zip(lower, upper, counts, strict=True)])


def tensor(axes):
    """The points of a tensor grid, `(prod(n_i), k)`, from its `k` axes `(n_i,)`."""
    mesh = np.meshgrid(*axes, indexing="ij")
    return np.stack([axis.ravel() for axis in mesh], axis=1) if mesh else np.empty((1, 0))


def integer_root(n, dims):
    """The largest `k` with `k**dims <= n`, exactly (`dims >= 1`)."""
    k = round(n ** (1 / dims))
    while k**dims > n:
        k -= 1
    while (k + 1) ** dims <= n:
        k += 1
    return k


def equal_counts(n, dims, names=()):
    """`dims` equal counts whose product is `n`, each at least 2 so that both ends are there.

    Args:
        n: number of all points.
        dims: number of axes; 0 is a single point.
        names: coordinates, for the error message.

    Returns:
        List of `dims` ints.

    Raises:
        ValueError: if `n` is not such a power; it names the nearest ones.
    """
    if dims == 0 and n > 1:
        raise ValueError(f"There is nothing to vary, so the grid has n=1 point, got n={n}.")
    k = integer_root(n, dims) if dims else 1
    if k**dims == n and (k > 1 or dims == 0):
        return [k] * dims
    nearest = [f"{m**dims} ({m} on each axis)" for m in (k, k + 1) if m > 1]
    raise ValueError(
        f"A grid with equally many points on {dims} axes, ends included, needs a power "
        f"n = k**{dims} with k >= 2, got n={n}. Nearest: {' or '.join(nearest)}. "
        f"Or give the points per coordinate: n={ {name: max(k, 2) for name in names} }."
    )


def allocate(n, measures):
    """Distribute `n` points over parts in proportion to their measures.

    The method of largest remainders (Hamilton); ties go to the earlier part. While there are
    enough points every part gets one, taken from the part with the most points.

    Args:
        n: number of points.
        measures: sizes of the parts, positive, `(parts,)`.

    Returns:
        Array of ints `(parts,)` which sums to `n`.

    Example:
        >>> allocate(10, [1.0, 1.0, 3.0]).tolist()
        [2, 2, 6]
    """
    measures = np.asarray(measures, "float64")
    quotas = n * (measures / measures.sum())
    shares = np.floor(quotas).astype(int)
    by_remainder = np.argsort(shares - quotas, kind="stable")
    shares[by_remainder[: n - shares.sum()]] += 1
    while n >= len(shares) and shares.min() == 0:
        shares[np.argmax(shares)] -= 1
        shares[np.argmin(shares)] += 1
    return shares


def _integer(value, name, smallest, other=""):
    kind = {0: "a non-negative int", 1: "a positive int"}.get(smallest, f"an int >= {smallest}")
    message = f"`{name}` must be {kind}{other}, got {value!r}."
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(message)
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(message) from None
    if value < smallest:
        raise ValueError(message)
    return value
