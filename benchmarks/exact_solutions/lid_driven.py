"""The lid-driven cavity by a Chebyshev method."""

import functools

import numpy as np


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
