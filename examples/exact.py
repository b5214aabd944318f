"""Exact solutions, and how examples are compared with them."""

import numpy as np

import kpinn


def compare(pinn, domain, exact, path, fixed=None):
    """Prints the relative L2 error of `u` at 5,000 new points, and draws u, exact and error.

    Args:
        pinn: `kpinn.PINN` with a field `u`.
        domain: `kpinn.domains.Domain`.
        exact: function of its coordinates, arrays `(n, d)`.
        path: file of the picture.
        fixed: as of `kpinn.plotting.field`.
    """
    points = domain.sample(5_000, seed=1)
    expected = np.asarray(exact(**points))
    error = np.linalg.norm(pinn.predict_fields(points)["u"] - expected) / np.linalg.norm(expected)
    print(f"relative L2 error: {error:.1e}")
    kpinn.plotting.field(pinn, domain, "u", exact, path=path, fixed=fixed)


def kirsch(points):
    """Stresses in a plate with a hole of radius 1 under the tension 1 along x.

    By complex potentials: s_xx + s_yy = 4 Re f', s_yy - s_xx + 2 i s_xy = 2 (conj(z) f'' + g')
    with f = (z + 2 / z) / 4, g = -(z + 1 / z - 1 / z^3) / 2.

    Args:
        points: dict of arrays x, y `(n, 1)`.

    Returns:
        s_xx, s_xy, s_xy, s_yy: an array `(n, 4)`.

    References:
        N. I. Muskhelishvili, Some Basic Problems of the Mathematical Theory of Elasticity (1953),
        section 56a.
    """
    z = points["x"] + 1j * points["y"]
    mean = np.real(1 - 2 / z**2) / 2
    half = np.conj(z) / z**3 - (1 - 1 / z**2 + 3 / z**4) / 2
    return np.concatenate([mean - half.real, half.imag, half.imag, mean + half.real], axis=1)


def burgers(t, x, viscosity=0.01 / np.pi, nodes=2001):
    """u_t + u u_x = viscosity u_xx on [-1, 1], u(0, x) = -sin(pi x), u(t, -1) = u(t, 1) = 0.

    The Cole-Hopf transformation gives u = -int sin(pi y) w dy / int w dy with the weight
    w = exp(-cos(pi y) / (2 pi viscosity) - (x - y)^2 / (4 viscosity t)). The integrands decay
    like Gaussians, so that the trapezoidal rule converges geometrically.

    Args:
        t, x: arrays `(n,)`.
        viscosity: a positive number.
        nodes: nodes of the quadrature.

    Returns:
        An array `(n,)`.

    References:
        C. Basdevant et al., Spectral and finite difference solutions of the Burgers equation,
        Computers & Fluids 14 (1986), 23-41.
    """
    t, x = np.ravel(t), np.ravel(x)
    u = -np.sin(np.pi * x)
    for block in np.array_split(np.flatnonzero(t > 0), 1 + len(t) // 1000):
        u[block] = _burgers_later(t[block, None], x[block, None], viscosity, nodes)
    return u


def _burgers_later(t, x, viscosity, nodes):
    half_width = t + 9.0 * np.sqrt(2.0 * viscosity * t)  # no wave is faster than one
    offset = half_width * np.linspace(-1.0, 1.0, nodes)
    y = x + offset
    exponent = -np.cos(np.pi * y) / (2.0 * np.pi * viscosity) - offset**2 / (4.0 * viscosity * t)
    weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return -(np.sin(np.pi * y) * weight).sum(axis=1) / weight.sum(axis=1)
