"""Solutions in closed form."""

import numpy as np


def poisson_1d(x):
    """-u'' = pi^2 sin(pi x), u(-1) = u(1) = 0."""
    return np.sin(np.pi * x)


def damped_oscillator(t, damping=2.0, frequency=20.0):
    """u'' + 2 d u' + w0^2 u = 0, u(0) = 1, u'(0) = 0, for d < w0."""
    omega = np.sqrt(frequency**2 - damping**2)
    return np.exp(-damping * t) * (np.cos(omega * t) + damping / omega * np.sin(omega * t))


def helmholtz(x, y):
    """lap u + u = (1 - 17 pi^2) sin(pi x) sin(4 pi y)."""
    return np.sin(np.pi * x) * np.sin(4 * np.pi * y)


def half_waves(x, y):
    """Zero at x and y = -1, 0 and 1."""
    return np.sin(6 * np.pi * x) * np.sin(6 * np.pi * y)


def wave(t, x):
    """u_tt = 4 u_xx at rest at t = 0, u(t, 0) = u(t, 1) = 0."""
    return _standing_wave(t, x, 1) + 0.5 * _standing_wave(t, x, 4)


def _standing_wave(t, x, mode):
    return np.sin(mode * np.pi * x) * np.cos(2 * mode * np.pi * t)


def nonlinear_poisson(x, y):
    """lap u - exp(u) = f."""
    return 1 + np.sin(4 * np.pi * x) * np.cos(4 * np.pi * y)


def poisson_5d(x):
    """-lap u = pi^2 sum cos(pi x_i); `x` has the shape `(n, 5)`, the result `(n, 1)`."""
    return np.cos(np.pi * x).sum(axis=1, keepdims=True)


def laplace_10d(x):
    """lap u = 0; `x` has the shape `(n, 10)`, the result `(n, 1)`."""
    return (x[:, ::2] * x[:, 1::2]).sum(axis=1, keepdims=True)


def kovasznay(x, y, reynolds=20.0):
    """The flow behind a grid: `u`, `v` and the pressure of the Navier-Stokes equations.

    References:
        L. I. G. Kovasznay, Laminar flow behind a two-dimensional grid, Proceedings of the
        Cambridge Philosophical Society 44 (1948), 58-62.
    """
    rate = reynolds / 2 - np.sqrt(reynolds**2 / 4 + 4 * np.pi**2)
    wake = np.exp(rate * x)
    u = 1 - wake * np.cos(2 * np.pi * y)
    v = rate / (2 * np.pi) * wake * np.sin(2 * np.pi * y)
    return {"u": u, "v": v, "p": (1 - wake**2) / 2}


def beltrami(t, x, y, z, reynolds=1.0):
    """An unsteady flow whose vorticity is along the velocity: `v`, `(n, 3)`, and the pressure `p`.

    References:
        C. R. Ethier and D. A. Steinman, Exact fully 3D Navier-Stokes solutions for benchmarking,
        International Journal for Numerical Methods in Fluids 19 (1994), 369-375, with a = d = 1.
    """
    decay = np.exp(-t / reynolds)
    axes = [(x, y, z), (y, z, x), (z, x, y)]
    v = [-decay * (np.exp(a) * np.sin(b + c) + np.exp(c) * np.cos(a + b)) for a, b, c in axes]
    squares = sum(np.exp(2 * a) for a, _, _ in axes)
    products = sum(np.sin(a + b) * np.cos(c + a) * np.exp(b + c) for a, b, c in axes)
    return {"v": np.concatenate(v, axis=1), "p": -(decay**2) * (squares / 2 + products)}


def inverse_field(x, y):
    """div(k grad u) = f, with u = 0 on the boundary of the unit square: `u` and `k`."""
    u = np.sin(np.pi * x) * np.sin(np.pi * y)
    return {"u": u, "k": 1 + 0.5 * np.sin(2 * np.pi * x) * np.cos(np.pi * y)}


def inverse_field_source(x, y):
    """f of `inverse_field`."""
    field, pi = inverse_field(x, y), np.pi
    along_x = np.cos(2 * pi * x) * np.cos(pi * y) * np.cos(pi * x) * np.sin(pi * y)
    along_y = np.sin(2 * pi * x) * np.sin(pi * y) * np.sin(pi * x) * np.cos(pi * y)
    return -2 * pi**2 * field["k"] * field["u"] + pi**2 * (along_x - along_y / 2)


def two_solitons(t, x, speeds=(6.0, 2.0), starts=(-2.0, 2.0)):
    """u_t + 6 u u_x + u_xxx = 0: a fast soliton overtakes a slow one.

    It is twice the second derivative of the logarithm of what is squared in the denominator.

    References:
        R. Hirota, Exact solution of the Korteweg-de Vries equation for multiple collisions of
        solitons, Physical Review Letters 27 (1971), 1192-1194.
    """
    (fast, slow), roots = speeds, np.sqrt(speeds)
    a = roots[0] * (x - fast * t - starts[0]) / 2
    b = roots[1] * (x - slow * t - starts[1]) / 2
    above = 2 * (fast - slow) * (fast * np.cosh(b) ** 2 + slow * np.sinh(a) ** 2)
    below = (roots[0] - roots[1]) * np.cosh(a + b) + (roots[0] + roots[1]) * np.cosh(a - b)
    return above / below**2


def two_solitons_slope(t, x):
    """u_x of `two_solitons`, by a step into the complex plane, which loses no digits."""
    return two_solitons(t, x + 1e-30j).imag / 1e-30
