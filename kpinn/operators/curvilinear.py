"""Vector calculus in cylindrical and spherical coordinates, by physical components.

With the unit vectors `e_i` along the coordinates and the derivative `D_j` along `e_j` by length,
`D_j = s_j d/dx_j`, the unit vectors turn as `D_j e_k = sum of C_ijk e_i`. In both systems `s_j` and
`C_ijk` do not depend on the coordinate `j`.

References:
    Malvern, "Introduction to the mechanics of a continuous medium" (1969), appendix II.
"""

import itertools

from keras import ops

from kpinn.derivatives.names.declarations import split_names
from kpinn.operators.cartesian import entries_of, strain
from kpinn.options import names, shown

EVERY = range(3)


class Orthogonal:
    """What both systems have in common, by their `_scales`, `s_j`, and `_turns`, `C_ijk` but zeros.

    Args:
        axes: what the spatial coordinates of the PINN are, in their order; those on which nothing
            depends are left out.
    """

    known = ()

    def __init__(self, axes=None):
        every = " ".join(self.known)
        found = split_names(names("axes", every if axes is None else axes, every))
        if not {"r"} <= set(found) <= set(self.known) or len(set(found)) != len(found):
            raise ValueError(
                f"axes {shown(axes)}: expected 'r' and some of {', '.join(self.known[1:])}, what "
                "the spatial coordinates of the PINN are in their order, whatever it calls them."
            )
        self.axes = [self.known.index(name) for name in found]

    def __repr__(self):
        return f"{type(self).__name__}({self._named()!r})"

    # Operators ---------------------------------------------------------------------------------

    def gradient(self, place, grad_u):
        """The gradient of a scalar field, `(n, d)`, along `axes`.

        Args:
            place: see the class.
            grad_u: derivatives with respect to the coordinates, `(n, d)`.
        """
        scales = self._scales(place)
        self._check("grad_u", grad_u, 2)
        columns = [scales[axis] * grad_u[:, i : i + 1] for i, axis in enumerate(self.axes)]
        return ops.concatenate(columns, axis=1)

    def laplacian(self, place, first, *second):
        """The Laplacian of a scalar field, `(n, 1)`.

        Args:
            place: see the class.
            first: `u_r`, `(n, 1)`; in spherical coordinates with `theta` the pair of `u_r` and
                `u_theta`.
            *second: second derivatives along each of `axes`, such as `u_rr` and `u_zz`.

        Example:

            @kpinn.condition
            def laplace(self, r, u_r, u_rr, u_zz):
                return axes.laplacian(r, u_r, u_rr, u_zz)
        """
        scales, turns = self._scales(place), self._turns(place)
        self._check_second(second)
        first = dict(enumerate(first if isinstance(first, list | tuple) else [first]))
        wanted = [axis for axis in self.axes if any(i == j and k == axis for i, j, k in turns)]
        if sorted(first) != sorted(wanted):
            raise ValueError(
                f"first are {len(first)} derivatives: expected those along "
                f"{' and '.join(self.known[axis] for axis in sorted(wanted))}."
            )
        total = sum(scales[axis] ** 2 * u for axis, u in zip(self.axes, second, strict=True))
        for (i, j, k), turn in turns.items():
            if i == j and k in first:
                total = total + turn * scales[k] * first[k]
        return total

    def jacobian(self, place, v, jac_v):
        """The gradient of a vector field, `(n, 3, 3)`: row `i` is that of component `i`.

        Args:
            place: see the class.
            v: components `(n, k)`, along `axes` or all three.
            jac_v: their derivatives with respect to the coordinates, `(n, k, d)`.
        """
        entries = self._jacobian(place, v, jac_v)
        columns = self._filled(entries, itertools.product(EVERY, EVERY), v)
        return ops.reshape(ops.concatenate(columns, axis=1), (-1, 3, 3))

    def strain(self, place, v, jac_v):
        """The symmetric part of `jacobian`, `(n, 3, 3)`; arguments as there.

        The hoop strain `v_r / r` is in it.
        """
        return strain(self.jacobian(place, v, jac_v))

    def divergence(self, place, v, jac_v):
        """The divergence of a vector field, `(n, 1)`; arguments as in `jacobian`."""
        entries = self._jacobian(place, v, jac_v)
        return sum(entry for (i, j), entry in entries.items() if i == j)

    def curl(self, place, v, jac_v):
        """The curl of a vector field, all components `(n, 3)`; arguments as in `jacobian`."""
        entries = self._jacobian(place, v, jac_v)
        found = {}
        for i in EVERY:
            j, k = (i + 1) % 3, (i + 2) % 3
            _add(found, i, entries.get((k, j)))
            _add(found, i, None if (j, k) not in entries else -entries[j, k])
        return ops.concatenate(self._filled(found, EVERY, v), axis=1)

    def advection(self, place, v, w, jac_w):
        """The derivative of a vector field along a velocity, `(v . grad) w`, `(n, k)`.

        Args:
            place: see the class.
            v: the velocity, `(n, k)`.
            w: the field, `(n, k)`; `v` again in the equations of Navier and Stokes.
            jac_w: its derivatives, `(n, k, d)`.
        """
        along, entries, found = self._components("v", v), self._jacobian(place, w, jac_w), {}
        for (i, j), entry in entries.items():
            _add(found, i, entry * along[j] if j in along else None)
        return ops.concatenate(self._filled(found, self._components("w", w), w), axis=1)

    def vector_laplacian(self, place, v, jac_v, *second):
        """The Laplacian of a vector field, `(n, k)`.

        Args:
            place: see the class.
            v: components `(n, k)`, along `axes` or all three.
            jac_v: their derivatives, `(n, k, d)`.
            *second: second derivatives `(n, k)` along each of `axes`, such as `v_rr` and `v_zz`.
        """
        scales, turns = self._scales(place), self._turns(place)
        self._check_second(second)
        entries, plain = self._jacobian(place, v, jac_v), self._partials(place, v, jac_v)
        found = {}
        for column, i in enumerate(self._components("v", v)):
            for axis, each in zip(self.axes, second, strict=True):
                _add(found, i, scales[axis] ** 2 * each[:, column : column + 1])
        for (i, j, k), turn in turns.items():
            for part in (plain.get((k, j)), entries.get((k, j))):
                _add(found, i, None if part is None else turn * part)
            for row in EVERY if i == j else ():
                _add(found, row, None if (row, k) not in entries else turn * entries[row, k])
        return ops.concatenate(self._filled(found, self._components("v", v), v), axis=1)

    def tensor_divergence(self, place, stress, jac_stress):
        """The divergence of a tensor field by rows, all components `(n, 3)`.

        Args:
            place: see the class.
            stress: `(n, 9)`, the rows of a matrix, or `(n, 6)`, those of a symmetric one in the
                order of `kpinn.operators.tensor`: rr, phi phi, zz, phi z, rz, r phi.
            jac_stress: their derivatives, `(n, 9, d)` or `(n, 6, d)`.
        """
        scales, turns = self._scales(place), self._turns(place)
        places = entries_of("stress", stress)
        if len(places) != 3:
            raise ValueError(
                f"stress has the shape {tuple(stress.shape)}: expected 9 or 6 components."
            )
        self._check("jac_stress", jac_stress, 3)

        def entry(i, j):
            return stress[:, places[i, j] : places[i, j] + 1]

        found = {}
        for i in EVERY:
            for d, axis in enumerate(self.axes):
                _add(found, i, scales[axis] * jac_stress[:, places[i, axis], d : d + 1])
        for (i, j, k), turn in turns.items():
            _add(found, i, turn * entry(k, j))
            for row in EVERY if i == j else ():
                _add(found, row, turn * entry(row, k))
        return ops.concatenate(self._filled(found, EVERY, stress), axis=1)

    # Parts -------------------------------------------------------------------------------------

    def _components(self, what, v):
        """The columns `(n, 1)` of a vector field by component."""
        kinds = self._kinds
        if len(v.shape) != 2 or v.shape[1] not in kinds:
            listed = (" ".join(self.known[axis] for axis in axes) for axes in kinds.values())
            raise ValueError(
                f"{what} has the shape {tuple(v.shape)}: expected (n, k) with components along "
                f"{', or along '.join(listed)}."
            )
        return {axis: v[:, i : i + 1] for i, axis in enumerate(kinds[v.shape[1]])}

    @property
    def _kinds(self):
        """The components that a vector field may have, by their number."""
        return {len(self.axes): self.axes, 3: EVERY}

    def _named(self):
        return " ".join(self.known[axis] for axis in self.axes)

    def _partials(self, place, v, jac_v):
        """`s_j dv_i/dx_j` by `(i, j)`."""
        scales = self._scales(place)
        self._check("jac_v", jac_v, 3)
        return {
            (i, axis): scales[axis] * jac_v[:, row, d : d + 1]
            for row, i in enumerate(self._components("v", v))
            for d, axis in enumerate(self.axes)
        }

    def _jacobian(self, place, v, jac_v):
        """The entries of `jacobian` that are not zero by `(i, j)`."""
        found, parts = self._partials(place, v, jac_v), self._components("v", v)
        for (i, j, k), turn in self._turns(place).items():
            _add(found, (i, j), turn * parts[k] if k in parts else None)
        return found

    def _check(self, what, derivatives, rank):
        if len(derivatives.shape) != rank or derivatives.shape[-1] != len(self.axes):
            raise ValueError(
                f"{what} has the shape {tuple(derivatives.shape)}: expected derivatives with "
                f"respect to {len(self.axes)} coordinates, {self!r}."
            )

    def _check_second(self, second):
        if len(second) != len(self.axes):
            raise ValueError(
                f"second are {len(second)} derivatives: expected one along each of {self._named()}."
            )

    @staticmethod
    def _filled(entries, keys, like):
        zero = ops.zeros_like(like[:, :1])
        return [entries.get(key, zero) for key in keys]


def _add(found, key, term):
    """Adds a term, `None` for zero."""
    if term is not None:
        found[key] = found[key] + term if key in found else term


class Cylindrical(Orthogonal):
    """Vector calculus in cylindrical coordinates: radius `r`, angle `phi`, height `z`.

    The methods are plain functions of what a condition asks for. Vectors have physical components,
    along unit vectors: `(v_r, v_phi, v_z)`, or those along `axes`. `place` is the radius, `(n, 1)`.
    On the axis, where `r` is zero, the formulas are `0 / 0`: take points with `r > 0`; there
    `u_r = 0` is a condition of its own.

    Args:
        axes: what the spatial coordinates of the PINN are, in their order: `"r phi z"`, `"r z"` if
            nothing depends on the angle, `"r phi"` in a plane.

    Raises:
        ValueError: for other names; in its methods, for arrays of other shapes.

    Example:

        axes = kpinn.operators.Cylindrical("r z")

        class Pipe(kpinn.PINN):
            coordinates, fields = "r z", "v[2] p"

            @kpinn.condition
            def mass(self, r, v, jac_v):
                return axes.divergence(r, v, jac_v)
    """

    known = "r", "phi", "z"

    def _scales(self, r):
        return {0: 1.0, 1: 1.0 / r, 2: 1.0}

    def _turns(self, r):
        return {(0, 1, 1): -1.0 / r, (1, 1, 0): 1.0 / r}


class Spherical(Orthogonal):
    """Vector calculus in spherical coordinates: radius `r`, polar angle `theta`, azimuth `phi`.

    `theta` is zero on the polar axis. The methods are those of `Cylindrical`. Vectors have physical
    components `(v_r, v_theta, v_phi)`, or those along `axes`. `place` is the pair of `r` and
    `theta`, each `(n, 1)`. With `"r"` alone it is `r`: all is the same in all directions, vectors
    are radial, and tensors are diagonal with equal entries along both angles. In the origin and on
    the polar axis the formulas are `0 / 0`.

    Args:
        axes: what the spatial coordinates of the PINN are, in their order: `"r theta phi"`,
            `"r theta"` if nothing depends on the azimuth, `"r"`.

    Raises:
        ValueError: for other names; in its methods, for arrays of other shapes.

    Example:

        axes = kpinn.operators.Spherical("r theta")

        def laplace(r, theta, u_r, u_theta, u_r_r, u_theta_theta):
            return axes.laplacian((r, theta), (u_r, u_theta), u_r_r, u_theta_theta)
    """

    known = "r", "theta", "phi"

    @property
    def _kinds(self):
        return {1: self.axes} if self.axes == [0] else {len(self.axes): self.axes, 3: EVERY}

    def _scales(self, place):
        r, theta = self._split(place)
        scales = {0: 1.0, 1: 1.0 / r}
        return scales if theta is None else scales | {2: 1.0 / (r * ops.sin(theta))}

    def _turns(self, place):
        r, theta = self._split(place)
        turns = {(0, 1, 1): -1.0 / r, (1, 1, 0): 1.0 / r, (0, 2, 2): -1.0 / r, (2, 2, 0): 1.0 / r}
        if theta is not None:
            cotangent = ops.cos(theta) / (r * ops.sin(theta))
            turns |= {(1, 2, 2): -cotangent, (2, 2, 1): cotangent}
        return turns

    def _split(self, place):
        r, *rest = place if isinstance(place, list | tuple) else [place]
        if len(rest) != (len(self.axes) > 1):
            raise ValueError(
                f"place has {1 + len(rest)} parts: expected "
                f"{'r and theta' if len(self.axes) > 1 else 'r'} for {self!r}."
            )
        return r, rest[0] if rest else None
