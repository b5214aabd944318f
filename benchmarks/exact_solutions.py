"""Exact and reference solutions of the problems in `accuracy_problems.py`, in numpy.

All of them are computed here: closed forms, the Cole-Hopf transformation, a Fourier method
(Allen-Cahn) and a Chebyshev method (cavity). Nothing is read from files: several published files of
reference solutions are less accurate than the errors that are quoted against them.
"""

import functools

import numpy as np

# Closed forms ------------------------------------------------------------------------------


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


# Burgers -----------------------------------------------------------------------------------


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


# Allen-Cahn by a Fourier method --------------------------------------------------------------


def allen_cahn(t, x, modes=8192, steps=400, times=41):
    """u_t = 1e-4 u_xx + 5 u - 5 u^3 on [-1, 1], periodic, u(0, x) = x^2 cos(pi x).

    The initial values have a kink at x = 1 and -1 where the period repeats, near which the error is
    about 1e-5; where |x| < 0.95 it is below 1e-7.

    Args:
        t: array `(n, 1)` or `(n,)` of multiples of `1 / (times - 1)`.
        x: array `(n, 1)` or `(n,)`.
        modes: points in space.
        steps: steps in time until t = 1, a multiple of `times - 1`.
        times: number of times at which the solution is kept.

    Returns:
        An array `(n, 1)`.

    Raises:
        ValueError: for another time.
    """
    wave_numbers, coefficients = allen_cahn_coefficients(modes, steps, times)
    rows = np.rint(np.ravel(t) * (times - 1)).astype(int)
    if not np.allclose(rows, np.ravel(t) * (times - 1), rtol=0, atol=1e-9):
        raise ValueError(f"the solution is kept at multiples of 1 / {times - 1} in time only.")
    places, columns = np.unique(np.ravel(x), return_inverse=True)
    weights = np.r_[1.0, np.full(modes // 2 - 1, 2.0), 1.0] / modes
    values = (coefficients * weights @ np.exp(1j * np.outer(wave_numbers, places + 1))).real
    return values[rows, columns][:, None]


@functools.cache
def allen_cahn_coefficients(modes, steps, times):
    """Wave numbers `(modes / 2 + 1,)`, and the Fourier coefficients at each time in their rows."""
    x = -1 + 2 * np.arange(modes) / modes
    wave_numbers = np.pi * np.arange(modes // 2 + 1)

    def reaction(coefficients):
        return np.fft.rfft(-5 * np.fft.irfft(coefficients) ** 3)

    factors = _etd_factors(5.0 - 1e-4 * wave_numbers**2, 1 / steps)
    rows = [np.fft.rfft(x**2 * np.cos(np.pi * x))]
    for _ in range(times - 1):
        coefficients = rows[-1]
        for _ in range(steps // (times - 1)):
            coefficients = _etd_step(coefficients, reaction, factors)
        rows.append(coefficients)
    return wave_numbers, np.array(rows)


def _etd_factors(rates, step, nodes=32):
    """Factors of a step of ETDRK4; means over circles in place of differences that cancel.

    References:
        A.-K. Kassam and L. N. Trefethen, Fourth-order time-stepping for stiff PDEs, SIAM Journal on
        Scientific Computing 26 (2005), 1214-1233, section 2.
    """
    circle = np.exp(2j * np.pi * (np.arange(1, nodes + 1) - 0.5) / nodes)
    z = step * rates[:, None] + circle
    e = np.exp(z)
    weights = (
        (np.exp(z / 2) - 1) / z,
        (-4 - z + e * (4 - 3 * z + z**2)) / z**3,
        (2 + z + e * (z - 2)) / z**3,
        (-4 - 3 * z - z**2 + e * (4 - z)) / z**3,
    )
    means = [step * each.mean(axis=1).real for each in weights]
    return np.exp(step * rates), np.exp(step * rates / 2), *means


def _etd_step(v, nonlinear, factors):
    """One step of v' = rates v + nonlinear(v)."""
    whole, half, q, first, second, third = factors
    at_start = nonlinear(v)
    a = half * v + q * at_start
    at_a = nonlinear(a)
    at_b = nonlinear(half * v + q * at_a)
    c = half * a + q * (2 * at_b - at_start)
    return whole * v + first * at_start + 2 * second * (at_a + at_b) + third * nonlinear(c)


# The lid-driven cavity by a Chebyshev method -------------------------------------------------


def regularised_lid(x):
    """The speed of the lid, whose slope vanishes at the corners."""
    return 16 * x**2 * (1 - x) ** 2


def cavity(x, y, reynolds=100.0, degree=32):
    """Steady flow in the unit square under the regularised lid at y = 1: `u` and `v`.

    Args:
        x, y: arrays `(n, 1)` or `(n,)`.
        reynolds: the Reynolds number, moderate: Newton's iteration begins at rest.
        degree: degree of the polynomials in each direction.

    Returns:
        A dict of arrays `(n, 1)`.
    """
    nodes, stream, derivative = cavity_stream_function(reynolds, degree)
    across, along = _lagrange(nodes, np.ravel(x)), _lagrange(nodes, np.ravel(y))
    u = np.einsum("pi,ij,pj->p", across, stream @ derivative.T, along, optimize=True)
    v = -np.einsum("pi,ij,pj->p", across, derivative @ stream, along, optimize=True)
    return {"u": u[:, None], "v": v[:, None]}


@functools.cache
def cavity_stream_function(reynolds, degree):
    """The stream function at Chebyshev points, for which u = psi_y and v = -psi_x.

    Collocation of lap^2 psi / Re = psi_y lap psi_x - psi_x lap psi_y and Newton's iteration. The
    equations next to the walls are given up for the normal derivatives.

    Returns:
        A tuple of the nodes `(n,)`, the values `(n, n)` and the matrix `(n, n)` of the derivative.

    References:
        L. N. Trefethen, Spectral methods in MATLAB, SIAM (2000), chapters 6 and 14.
    """
    nodes, first = _chebyshev(degree)
    equations = _cavity_equations(first)
    rows, operators, values = _walls(nodes, first)
    stream = np.zeros(len(nodes) ** 2)
    for _ in range(20):
        residual, matrix = equations(stream, reynolds)
        residual[rows], matrix[rows] = operators @ stream - values, operators
        change = np.linalg.solve(matrix, -residual)
        stream = stream + change
        if np.abs(change).max() < 1e-12:
            return nodes, stream.reshape(len(nodes), -1), first
    raise ValueError(f"no flow found at Reynolds number {reynolds}: it is too high.")


def _chebyshev(degree):
    """Nodes on [0, 1] from 1 down to 0, and the matrix of the derivative."""
    nodes = np.cos(np.pi * np.arange(degree + 1) / degree)
    ends = np.r_[2, np.ones(degree - 1), 2] * (-1.0) ** np.arange(degree + 1)
    matrix = np.outer(ends, 1 / ends) / (nodes[:, None] - nodes + np.eye(degree + 1))
    matrix -= np.diag(matrix.sum(axis=1))
    return (nodes + 1) / 2, 2 * matrix


def _cavity_equations(first):
    one, second = np.eye(len(first)), first @ first
    dx, dy = np.kron(first, one), np.kron(one, first)
    laplacian = np.kron(second, one) + np.kron(one, second)
    biharmonic = laplacian @ laplacian
    laplacian_x, laplacian_y = laplacian @ dx, laplacian @ dy

    def equations(stream, reynolds):
        u, v = dy @ stream, -dx @ stream
        vorticity_x, vorticity_y = laplacian_x @ stream, laplacian_y @ stream
        residual = biharmonic @ stream / reynolds - u * vorticity_x - v * vorticity_y
        matrix = biharmonic / reynolds - u[:, None] * laplacian_x - v[:, None] * laplacian_y
        return residual, matrix - vorticity_x[:, None] * dy + vorticity_y[:, None] * dx

    return equations


def _walls(nodes, first):
    """Rows of the equations that conditions of the walls replace, their matrix and values."""
    size, last = len(nodes), len(nodes) - 1
    index = np.arange(size**2).reshape(size, size)
    one = np.eye(size**2)
    dx, dy = np.kron(first, np.eye(size)), np.kron(np.eye(size), first)
    edge = np.unique(np.r_[index[0], index[last], index[:, 0], index[:, last]])
    inner, lid = index[1:last, 0], index[2 : last - 1, 0]
    sides = [(index[1, 1:last], dx[index[0, 1:last]]), (index[-2, 1:last], dx[index[last, 1:last]])]
    top_and_floor = [
        (index[2 : last - 1, 1], dy[lid]),
        (index[2 : last - 1, -2], dy[index[2 : last - 1, last]]),
    ]
    parts = [(edge, one[edge]), *sides, *top_and_floor]
    rows = np.concatenate([part[0] for part in parts])
    values = np.zeros(len(rows))
    start = len(edge) + 2 * len(inner)
    values[start : start + len(lid)] = regularised_lid(nodes[2 : last - 1])
    return rows, np.concatenate([part[1] for part in parts]), values


def _lagrange(nodes, points):
    """Values of the Lagrange polynomials of Chebyshev points, `(points, nodes)`."""
    weights = (-1.0) ** np.arange(len(nodes))
    weights[[0, -1]] /= 2
    distance = points[:, None] - nodes
    hit = np.abs(distance) < 1e-14
    quotient = weights / np.where(hit, 1.0, distance)
    quotient = np.where(hit.any(axis=1, keepdims=True), hit, quotient)
    return quotient / quotient.sum(axis=1, keepdims=True)
