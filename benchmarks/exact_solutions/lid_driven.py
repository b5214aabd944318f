"""The lid-driven cavity by a Chebyshev method."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

COARSE = 24  # the degree at which the flow is sought; from there Newton's iteration goes on


@dataclasses.dataclass(frozen=True)
class Lid:
    """A lid: its speed, and how fast that rises from the corners."""

    speed: Callable
    slope: float


def regularised_lid(x):
    """The speed of the lid, whose slope vanishes at the corners."""
    return 16 * x**2 * (1 - x) ** 2


def parabolic_lid(x):
    """The speed of the lid, which has a slope at the corners."""
    return 4 * x * (1 - x)


LIDS = {"regularised": Lid(regularised_lid, 0.0), "parabolic": Lid(parabolic_lid, 4.0)}


def cavity(x, y, reynolds=100.0, degree=None, lid="regularised"):
    """Steady flow in the unit square under the lid at y = 1: `u` and `v`.

    At a Reynolds number of 100, the relative error is about 1e-7 under the regularised lid and 5e-7
    under the parabolic one; at 400 it is 4e-6, at 1000 it is 6e-6, both under the regularised one.

    Args:
        x, y: arrays `(n, 1)` or `(n,)`.
        reynolds: the Reynolds number.
        degree: degree of the polynomials in each direction; by default 32, above 400 it is 40.
        lid: `"regularised"` or `"parabolic"`.

    Returns:
        A dict of arrays `(n, 1)`.

    Raises:
        ValueError: if Newton's iteration finds no flow.
    """
    x, y = np.ravel(x), np.ravel(y)
    degree = degree or (32 if reynolds <= 400 else 40)
    nodes, stream, derivative = cavity_stream_function(reynolds, degree, LIDS[lid])
    across, along = _lagrange(nodes, x), _lagrange(nodes, y)
    corners = _corners(x, y, LIDS[lid].slope)
    u = np.einsum("pi,ij,pj->p", across, stream @ derivative.T, along, optimize=True)
    v = -np.einsum("pi,ij,pj->p", across, derivative @ stream, along, optimize=True)
    return {"u": (u + corners.stream_y)[:, None], "v": (v - corners.stream_x)[:, None]}


@functools.cache
def cavity_stream_function(reynolds, degree, lid):
    """The stream function at Chebyshev points, for which u = psi_y and v = -psi_x.

    Collocation of lap^2 psi / Re = psi_y lap psi_x - psi_x lap psi_y and Newton's iteration. The
    equations next to the walls are given up for the normal derivatives. What a lid with a slope
    makes of the corners is known, and left out.

    Returns:
        A tuple of the nodes `(n,)`, the values `(n, n)` and the matrix `(n, n)` of the derivative.

    References:
        L. N. Trefethen, Spectral methods in MATLAB, SIAM (2000), chapters 6 and 14.
    """
    nodes, first = _chebyshev(degree)
    x, y = (each.ravel() for each in np.meshgrid(nodes, nodes, indexing="ij"))
    corners = _corners(x, y, lid.slope)
    equations = _cavity_equations(first, corners)
    rows, operators, values = _walls(nodes, first, lid, corners)
    stream = _first_guess(reynolds, nodes, lid)
    for _ in range(20):
        residual, matrix = equations(stream, reynolds)
        residual[rows], matrix[rows] = operators @ stream - values, operators
        change = np.linalg.solve(matrix, -residual)
        stream = stream + change
        if np.abs(change).max() < 1e-9:  # the next one would be at rounding
            return nodes, stream.reshape(len(nodes), -1), first
    raise ValueError(f"no flow found at Reynolds number {reynolds}: it is too high.")


def _first_guess(reynolds, nodes, lid):
    """The flow of a lower degree, or else of a lower Reynolds number, or else rest."""
    degree = len(nodes) - 1
    if degree > COARSE:
        coarse, stream, _ = cavity_stream_function(reynolds, COARSE, lid)
        between = _lagrange(coarse, nodes)
        return (between @ stream @ between.T).ravel()
    if reynolds > 100:
        return cavity_stream_function(max(100.0, reynolds / 2), degree, lid)[1].ravel()
    return np.zeros(len(nodes) ** 2)


@dataclasses.dataclass(frozen=True)
class _Corners:
    """A part of the stream function at points `(n,)`, and derivatives of it and of its Laplacian.

    Its bilaplacian is zero.
    """

    stream: np.ndarray
    stream_x: np.ndarray
    stream_y: np.ndarray
    laplacian_x: np.ndarray
    laplacian_y: np.ndarray


def _corners(x, y, slope):
    """The flow at the upper corners under a lid whose speed is `slope` times the distance.

    There the vorticity depends on the direction, and the pressure is infinite: polynomials would
    converge slowly. It is r^2 (a cos 2w + b sin 2w + c w + d) in polar coordinates, w from the lid,
    with a value of zero on the lid and on the wall, and their normal derivatives.
    """
    b, c, d = -slope / 4, -slope / 2, slope * np.pi / 8
    a = -d

    def corner(s, n):  # the distances from the wall and from the lid
        square = s**2 + n**2
        turn = c * np.arctan2(n, s) + d
        ratio = 4 * c / np.where(square > 0, square, np.inf)
        return np.array(
            [
                a * (s**2 - n**2) + 2 * b * s * n + square * turn,
                2 * a * s + 2 * b * n + 2 * s * turn - c * n,
                -2 * a * n + 2 * b * s + 2 * n * turn + c * s,
                -n * ratio,
                s * ratio,
            ]
        )

    left, right = corner(x, 1 - y), corner(1 - x, 1 - y)
    signs = np.array([1, -1, 1, -1, 1])[:, None]  # of derivatives in x, at the right
    stream, stream_s, stream_n, laplacian_s, laplacian_n = left + signs * right
    return _Corners(stream, stream_s, -stream_n, laplacian_s, -laplacian_n)


def _chebyshev(degree):
    """Nodes on [0, 1] from 1 down to 0, and the matrix of the derivative."""
    nodes = np.cos(np.pi * np.arange(degree + 1) / degree)
    ends = np.r_[2, np.ones(degree - 1), 2] * (-1.0) ** np.arange(degree + 1)
    matrix = np.outer(ends, 1 / ends) / (nodes[:, None] - nodes + np.eye(degree + 1))
    matrix -= np.diag(matrix.sum(axis=1))
    return (nodes + 1) / 2, 2 * matrix


def _cavity_equations(first, corners):
    one, second = np.eye(len(first)), first @ first
    third, fourth = second @ first, second @ second
    dx, dy = np.kron(first, one), np.kron(one, first)
    biharmonic = np.kron(fourth, one) + 2 * np.kron(second, second) + np.kron(one, fourth)
    laplacian_x = np.kron(third, one) + np.kron(first, second)
    laplacian_y = np.kron(second, first) + np.kron(one, third)

    def equations(stream, reynolds):
        u, v = dy @ stream + corners.stream_y, -(dx @ stream) - corners.stream_x
        vorticity_x = laplacian_x @ stream + corners.laplacian_x
        vorticity_y = laplacian_y @ stream + corners.laplacian_y
        residual = biharmonic @ stream / reynolds - u * vorticity_x - v * vorticity_y
        matrix = biharmonic / reynolds - u[:, None] * laplacian_x - v[:, None] * laplacian_y
        return residual, matrix - vorticity_x[:, None] * dy + vorticity_y[:, None] * dx

    return equations


def _walls(nodes, first, lid, corners):
    """Rows of the equations that conditions of the walls replace, their matrix and values."""
    size, last = len(nodes), len(nodes) - 1
    index = np.arange(size**2).reshape(size, size)
    one = np.eye(size**2)
    dx, dy = np.kron(first, np.eye(size)), np.kron(np.eye(size), first)
    edge = np.unique(np.r_[index[0], index[last], index[:, 0], index[:, last]])
    inner, middle = slice(1, last), slice(2, last - 1)
    top, floor = index[middle, 0], index[middle, last]
    parts = [  # the rows, what is on the left, and on the right
        (edge, one[edge], -corners.stream[edge]),
        (index[1, inner], dx[index[0, inner]], -corners.stream_x[index[0, inner]]),
        (index[-2, inner], dx[index[last, inner]], -corners.stream_x[index[last, inner]]),
        (index[middle, 1], dy[top], lid.speed(nodes[middle]) - corners.stream_y[top]),
        (index[middle, -2], dy[floor], -corners.stream_y[floor]),
    ]
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def _lagrange(nodes, points):
    """Values of the Lagrange polynomials of Chebyshev points, `(points, nodes)`."""
    weights = (-1.0) ** np.arange(len(nodes))
    weights[[0, -1]] /= 2
    distance = points[:, None] - nodes
    hit = np.abs(distance) < 1e-14
    quotient = weights / np.where(hit, 1.0, distance)
    quotient = np.where(hit.any(axis=1, keepdims=True), hit, quotient)
    return quotient / quotient.sum(axis=1, keepdims=True)
