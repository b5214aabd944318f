"""A conservation law with a shock: the solution that physics and finite volumes choose."""

import numpy as np


def buckley_leverett(t, x):
    """u_t + f(u)_x = 0 with f = u^2 / (u^2 + (1 - u)^2), u(0, x) = 0 for x > 0, u(t, 0) = 1.

    From x = 0 a fan, in which x / t = f'(u), falls to the saturation at the shock, which is where
    the tangent of f from the origin touches it: u^2 = 1 / 2. Its slope is the speed of the shock.

    Args:
        t, x: arrays `(n, 1)` or `(n,)`, not negative.

    Returns:
        An array `(n, 1)`.

    References:
        S. E. Buckley and M. C. Leverett, Mechanism of fluid displacement in sands, Transactions of
        the AIME 146 (1942), 107-116; H. J. Welge, A simplified method for computing oil recovery
        by gas or water drive, ibid. 195 (1952), 91-98.
    """
    t, x = np.ravel(t), np.ravel(x)
    front = np.sqrt(0.5)
    behind = x <= t * _speed(front)
    low, high = np.full(len(t), front), np.ones(len(t))
    for _ in range(60):  # in the fan the speed falls as the saturation rises
        middle = (low + high) / 2
        slow = t * _speed(middle) < x
        low, high = np.where(slow, low, middle), np.where(slow, middle, high)
    return np.where(behind, high, 0.0)[:, None]


def _speed(u):
    """f'(u)."""
    return 2 * u * (1 - u) / (u**2 + (1 - u) ** 2) ** 2
