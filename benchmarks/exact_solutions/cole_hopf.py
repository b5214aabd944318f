"""Burgers' equation by the Cole-Hopf transformation."""

import numpy as np


def burgers(t, x, viscosity, nodes=2001):
    """u_t + u u_x = viscosity u_xx on [-1, 1], u(0, x) = -sin(pi x), u(t, -1) = u(t, 1) = 0.

    The Cole-Hopf transformation gives u = -int sin(pi y) w dy / int w dy with the weight
    w = exp(-cos(pi y) / (2 pi viscosity) - (x - y)^2 / (4 viscosity t)). Its peaks are where
    characteristics begin that meet at (t, x), not further than t from x because |u| <= 1. The
    integrands decay like Gaussians, so that the trapezoidal rule converges geometrically.

    Args:
        t, x: arrays `(n, 1)` or `(n,)`.
        viscosity: a positive number.
        nodes: nodes of the quadrature.

    Returns:
        An array `(n, 1)`.

    References:
        C. Basdevant et al., Spectral and finite difference solutions of the Burgers equation,
        Computers & Fluids 14 (1986), 23-41.
    """
    t, x = np.ravel(t), np.ravel(x)
    u = -np.sin(np.pi * x)
    for block in np.array_split(np.flatnonzero(t > 0), 1 + len(t) // 1000):
        u[block] = _cole_hopf(t[block, None], x[block, None], viscosity, nodes)
    return u[:, None]


def _cole_hopf(t, x, viscosity, nodes):
    half_width = t + 9.0 * np.sqrt(2.0 * viscosity * t)
    offset = half_width * np.linspace(-1.0, 1.0, nodes)
    y = x + offset
    exponent = -np.cos(np.pi * y) / (2.0 * np.pi * viscosity) - offset**2 / (4.0 * viscosity * t)
    weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return -(np.sin(np.pi * y) * weight).sum(axis=1) / weight.sum(axis=1)
