"""Exact solutions, and how examples are compared with them."""

import pathlib

import numpy as np
from scipy.integrate import solve_ivp

import kpinn
from kpinn.backend import look


def compare(pinn, domain, exact, path, fixed=None, name="u"):
    """Prints the relative L2 error of a field at 5,000 new points, and draws it, exact and error.

    Args:
        pinn: `kpinn.PINN` with the field.
        domain: `kpinn.domains.Domain`.
        exact: function of its coordinates, arrays `(n, d)`.
        path: file of the picture.
        fixed, name: as of `kpinn.plotting.field`.
    """
    points = domain.sample(5_000, seed=1)
    expected = np.asarray(exact(**points))
    found = pinn.predict_fields(points, name)[name]
    print(f"relative L2 error: {relative(found, expected):.1e}")
    kpinn.plotting.field(pinn, domain, name, exact, path=path, fixed=fixed)


def panels(*titles):
    """A figure with a row of axes, and these; `keep` writes it.

    Args:
        *titles: of the axes.

    Returns:
        A matplotlib `Figure` and a list of axes.
    """
    axes = look.panels(12, 4, (1, len(titles)))
    for each, title in zip(axes, titles, strict=True):
        each.set_title(title)
        each.set_prop_cycle(color=look.COLOURS)
    return axes[0].figure, list(axes)


def keep(figure, path):
    """Writes a figure to a file, whose folder is made."""
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def relative(found, expected):
    """The relative L2 error of an array."""
    return np.linalg.norm(np.asarray(found) - expected) / np.linalg.norm(expected)


def maps(t, x, path, **images):
    """Draws fields over time and place side by side; the last one in the colours of errors.

    Args:
        t, x: arrays `(m,)` and `(n,)`.
        path: file of the picture.
        **images: arrays `(m, n)` by their titles, in which `_` is a blank.
    """
    figure, axes = panels(*(name.replace("_", " ") for name in images))
    for each, values in zip(axes, images.values(), strict=True):
        most = np.abs(values).max()
        colours = {"cmap": look.ERRORS if each is axes[-1] else look.VALUES}
        if values.min() < -0.01 * most:  # and not by rounding
            colours = {"cmap": look.signed(), "vmin": -most, "vmax": most}
        mesh = each.pcolormesh(t, x, values.T, rasterized=True, **colours)
        look.colour_bar(mesh, each)
        each.set(xlabel="t", ylabel="x")
    keep(figure, path)


def on_grid(pinn, t, x, name):
    """A field at all of the times `(m,)` and places `(n,)`, `(m, n)`."""
    grid = [each.ravel() for each in np.meshgrid(t, x, indexing="ij")]
    return pinn.predict_fields({"t": grid[0], "x": grid[1]}, name)[name].reshape(len(t), len(x))


def functions_beside(places, exact, found, count, path, label):
    """Draws the first four of functions that an operator gives, with the exact ones.

    Args:
        places, exact, found: arrays `(k * count, 1)`, one function after the other.
        count: places of each function.
        path: file of the picture.
        label: of the places.
    """
    figure, axes = panels(*(f"function {number + 1}" for number in range(4)))
    for number, each in enumerate(axes):
        rows = slice(number * count, (number + 1) * count)
        order = np.argsort(places[rows, 0])
        each.plot(places[rows][order], exact[rows][order], "k--", label="exact")
        each.plot(places[rows][order], found[rows][order], "o", markersize=4, label="DeepONet")
        each.set_xlabel(label)
    axes[0].legend()
    keep(figure, path)


def fourier(right, start, length, times, method="DOP853"):
    """A system that is periodic in x, by Fourier's method in x.

    Args:
        right: function from fields `(m, n)` and their derivatives to slopes in time `(m, n)`; the
            second argument is a function: `slope(2)` are the second derivatives.
        start: fields `(m, n)` at x = 0, length / n, ...
        length: the period.
        times: growing array, whose first one is that of the start.
        method: of `scipy.integrate.solve_ivp`; `"Radau"` for derivatives of high order.

    Returns:
        An array `(len(times), m, n)`, with a relative error of about 1e-8.
    """
    shape = start.shape
    waves = 2j * np.pi / length * np.arange(shape[1] // 2 + 1)

    def slopes(t, values):
        fields = values.reshape(shape)
        spectrum = np.fft.rfft(fields)
        found = right(fields, lambda k: np.fft.irfft(waves**k * spectrum, shape[1]))
        return found.ravel()

    options = {"method": method, "t_eval": times, "rtol": 1e-8, "atol": 1e-10}
    found = solve_ivp(slopes, (times[0], times[-1]), start.ravel(), **options)
    return found.y.T.reshape(-1, *shape)


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
