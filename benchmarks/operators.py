"""What the benchmarks of derivatives measure, and the true values of the derivatives.

Nothing here uses kpinn. The truth are Taylor coefficients of a tanh network along straight lines,
in numpy's `longdouble` (64 bits of mantissa on x86; where it is a float64, errors of float64 are
differences to another computation in float64). A mixed derivative is a combination of such lines.
"""

import collections
import dataclasses
import functools
import itertools
import math
import re

import numpy as np


@dataclasses.dataclass(frozen=True)
class Operator:
    """A differential operator.

    Attributes:
        coordinates: names of the columns of the input.
        fields: names of the columns of the output.
        requests: what `kpinn.derivatives` is asked for.
        residual: from the dict of values to a list of residuals, by arithmetic only, so that it
            serves every framework. The loss is the sum of their mean squares.
        order: highest order of a derivative.
        plain: the same operator with names of derivatives as requests, for the truth and for other
            frameworks, if `requests` are something else; `None` if they are such names.
    """

    coordinates: str
    fields: str
    requests: object
    residual: object
    order: int = 2
    plain: "Operator | None" = None

    @property
    def names(self):
        """The names of the derivatives in the residual."""
        return re.split(r",\s*", (self.plain or self).requests)

    @functools.cached_property
    def inputs(self):
        """Dict from coordinate to its columns."""
        return _columns(self.coordinates)

    @functools.cached_property
    def outputs(self):
        """Dict from field to its columns."""
        return _columns(self.fields)

    @property
    def sizes(self):
        """Number of columns of the input and of the output."""
        return tuple(sum(map(len, names.values())) for names in (self.inputs, self.outputs))

    @property
    def reference(self):
        """The residual in terms of `names`."""
        return (self.plain or self).residual


def _columns(names):
    found, start = {}, 0
    for name, size in re.findall(r"(\w+)(?:\[(\d+)\])?", names):
        found[name] = range(start, start + int(size or 1))
        start += int(size or 1)
    return found


def _all(v):
    return list(v.values())


def _heat(v, linear):
    return [linear]


def _burgers(v, linear):
    return [linear + v["u"] * v["u_x"]]


def _navier_stokes(v, linear):
    momentum = linear + v["v"][:, :1] * v["v_x"] + v["v"][:, 1:] * v["v_y"]
    divergence = v["v_x"][:, :1] + v["v_y"][:, 1:]
    return [momentum[:, :1] + v["p_x"], momentum[:, 1:] + v["p_y"], divergence]


def _kdv(v, linear):
    return [linear + 6.0 * v["u"] * v["u_x"]]


def _add(v, factors):
    terms = [_scaled(factor, v[name]) for name, factor in factors.items()]
    return sum(terms[1:], terms[0])


def _with_merged(name, factors, others, residual, coordinates="t x", fields="u", order=2):
    """An operator with a linear part, and its variants that ask for that part as one value.

    In one of them the factors are tensors, as they are where they are to be found.
    """
    names = [*others, *factors]

    def separate(v):
        return residual(v, _add(v, factors))

    def merged(v):
        return residual(v, v["linear"])

    plain = Operator(coordinates, fields, ", ".join(names), separate, order)
    requests = {"linear": factors} | {other: other for other in others}
    variant = dataclasses.replace(plain, requests=requests, residual=merged, plain=plain)
    first, *rest = factors
    tensors = {first: factors[first]} | {term: np.array(factors[term]) for term in rest}
    unknown = dataclasses.replace(variant, requests={**requests, "linear": tensors})
    return {name: plain, f"{name}_merged": variant, f"{name}_unknown": unknown}


HEAT = {"u_t": 1.0, "u_xx": -0.1}
BURGERS = {"u_t": 1.0, "u_xx": -0.01 / math.pi}
FLOW = {"v_t": 1.0, "laplacian_v": -0.01}
KDV = {"u_t": 1.0, "u_xxx": 1.0}
OTHERS = ("v", "v_x", "v_y", "p_x", "p_y")  # of Navier-Stokes

OPERATORS = {
    "u_xx": Operator("x", "u", "u_xx", _all),
    **_with_merged("heat", HEAT, (), _heat),
    **_with_merged("burgers", BURGERS, ("u", "u_x"), _burgers),
    "laplacian_2": Operator("x y", "u", "laplacian_u", _all),
    "laplacian_3": Operator("x y z", "u", "laplacian_u", _all),
    "laplacian_10": Operator("x[10]", "u", "laplacian_u", _all),
    "laplacian_100": Operator("x[100]", "u", "laplacian_u", _all),
    **_with_merged("navier_stokes", FLOW, OTHERS, _navier_stokes, "t x y", "v[2] p"),
    **_with_merged("kdv", KDV, ("u", "u_x"), _kdv, order=3),
    "u_xxxx": Operator("x", "u", "u_xxxx", _all, order=4),
    "biharmonic": Operator("x y", "u", "biharmonic_u", _all, order=4),
    "hessian_3": Operator("x y z", "u", "hessian_u", _all),
    "hessian_10": Operator("x[10]", "u", "hessian_u", _all),
    "gradient_2": Operator("x y", "u", "u, grad_u", _all, order=1),
    "gradient_5": Operator("x[5]", "u", "u, grad_u", _all, order=1),
    "gradient_20": Operator("x[20]", "u", "u, grad_u", _all, order=1),
    "gradient_100": Operator("x[100]", "u", "u, grad_u", _all, order=1),
    "jacobian_5": Operator("x[5]", "v[3]", "v, jac_v", _all, order=1),
}
SINE = "sine"  # the problem u = sin, u_x = cos; through `fit`, or what a framework has for it


@dataclasses.dataclass(frozen=True)
class Case:
    """What the steps of one comparison have in common.

    Attributes:
        operator: key of `OPERATORS`, or `SINE`.
        width: units of a hidden layer.
        depth: number of hidden layers.
        dtype: `"float32"` or `"float64"`.
        points: number of points.
    """

    operator: str
    width: int
    depth: int
    dtype: str
    points: int

    @property
    def sizes(self):
        """Number of columns of the input and of the output."""
        return (1, 1) if self.operator == SINE else OPERATORS[self.operator].sizes

    def weights(self):
        """Kernels of Glorot's deviation and biases in turn, numbers that float32 has too."""
        rng = np.random.default_rng(0)
        sizes = [self.sizes[0], *[self.width] * self.depth, self.sizes[1]]
        weights = []
        for rows, columns in zip(sizes[:-1], sizes[1:], strict=True):
            weights.append(rng.normal(0.0, math.sqrt(2.0 / (rows + columns)), (rows, columns)))
            weights.append(rng.normal(0.0, 0.5, columns))
        return [weight.astype("float32").astype(self.dtype) for weight in weights]

    def x(self):
        """Points in [-1, 1]^d, for the sine problem in [0, 10], that float32 has too."""
        if self.operator == SINE:
            x = np.linspace(0.0, 10.0, self.points)[:, None]
        else:
            x = np.random.default_rng(1).uniform(-1.0, 1.0, (self.points, self.sizes[0]))
        return x.astype("float32").astype(self.dtype)


SINE_CASE = Case(SINE, width=10, depth=3, dtype="float32", points=101)


# Names as partial derivatives -----------------------------------------------------------------


def expand(name, operator):
    """What a name means.

    Returns:
        For each column of its value a list of `(factor, column of the output, axes)`.
    """
    head, _, tail = name.partition("_")
    spatial = [i for c, columns in operator.inputs.items() if c != "t" for i in columns]
    if head in operator.outputs:
        axes = tuple(operator.inputs[letter][0] for letter in tail)
        return [[(1, column, axes)] for column in operator.outputs[head]]
    (column, *others) = operator.outputs[tail]
    if head == "laplacian":
        return [[(1, each, (i, i)) for i in spatial] for each in (column, *others)]
    if head in ("grad", "jac"):
        return [[(1, each, (i,))] for each in (column, *others) for i in spatial]
    pairs = list(itertools.product(spatial, repeat=2))
    if head == "hessian":
        return [[(1, column, tuple(sorted(pair)))] for pair in pairs]
    if head == "biharmonic":
        twice = [(i, i, j, j) for i, j in pairs if i <= j]
        return [[(1 if axes[0] == axes[-1] else 2, column, axes) for axes in twice]]
    raise ValueError(f"{name!r} is unknown: the names are those of the table of operators.")


def partials(operator):
    """The axes of all partial derivatives of an operator by their number."""
    terms = [t for name in operator.names for column in expand(name, operator) for t in column]
    found = collections.defaultdict(set)
    for _, _, axes in terms:
        found[len(axes)].add(axes)
    return {order: sorted(axes) for order, axes in sorted(found.items())}


def assemble(operator, stacks, concatenate):
    """The values by name from partial derivatives, in any framework.

    Args:
        operator: an `Operator`.
        stacks: dict from order to an array `(number of partials, n, m)`, as `partials` lists them.
        concatenate: joins a list of arrays `(n, 1)` to one.
    """
    places = {
        axes: (order, k)
        for order, each in partials(operator).items()
        for k, axes in enumerate(each)
    }

    def column(terms):
        by_factor = collections.defaultdict(list)
        for factor, which, axes in terms:
            by_factor[factor, which, places[axes][0]].append(places[axes][1])
        parts = [
            _scaled(factor, _sum(stacks[order], rows)[:, which : which + 1])
            for (factor, which, order), rows in by_factor.items()
        ]
        return sum(parts[1:], parts[0])

    return {
        name: concatenate([column(terms) for terms in expand(name, operator)])
        for name in operator.names
    }


def _sum(stack, rows):
    if len(rows) > 4 and rows == list(range(rows[0], rows[-1] + 1)):
        return stack[rows[0] : rows[-1] + 1].sum(0)
    return sum((stack[k] for k in rows[1:]), stack[rows[0]])


def _scaled(factor, value):
    return value if factor == 1 else factor * value


# Truth --------------------------------------------------------------------------------------


def lines(axes):
    """A partial derivative as derivatives of the same order along lines.

    It is the sum over signs `e` of `prod(e) D^k f` along `sum(e_i v_i)`, over `2^k k!`.

    Args:
        axes: tuple of columns.

    Returns:
        A dict from direction, a tuple of `(column, whole number)`, to the factor of the derivative.
    """
    order, found = len(axes), collections.defaultdict(float)
    for signs in itertools.product((1, -1), repeat=max(order - 1, 0)):
        total = collections.Counter()
        for axis, sign in zip(axes, (1, *signs), strict=False):
            total[axis] += sign
        direction = tuple(sorted((axis, n) for axis, n in total.items() if n))
        if direction or not axes:
            scale = math.gcd(*(n for _, n in direction)) or 1
            scale *= -1 if direction and direction[0][1] < 0 else 1
            reduced = tuple((axis, n // scale) for axis, n in direction)
            found[reduced] += math.prod(signs) * scale**order
    count = 2 ** max(order - 1, 0) * math.factorial(order)
    return {direction: factor / count for direction, factor in found.items() if factor}


def vector(direction, size):
    """A direction of `lines` as an array `(size,)`."""
    found = np.zeros(size)
    for axis, n in direction:
        found[axis] = n
    return found


def _tanh(z):
    """Taylor coefficients of tanh, from `k y_k = sum of j z_j (1 - y^2)_(k-j)`."""
    y = [np.tanh(z[0])]
    slope = [1 - y[0] ** 2]
    for k in range(1, len(z)):
        y.append(sum(j * z[j] * slope[k - j] for j in range(1, k + 1)) / k)
        slope.append(-sum(y[i] * y[k - i] for i in range(k + 1)))
    return y


def _line_derivative(weights, points, direction, order):
    """The derivative of one order along a line, `(n, m)`."""
    values = [points, np.broadcast_to(direction, points.shape)][: order + 1]
    values += [np.zeros_like(points)] * (order + 1 - len(values))
    for i in range(0, len(weights), 2):
        values = _tanh(values) if i else values
        values = [value @ weights[i] for value in values]
        values[0] = values[0] + weights[i + 1]
    return math.factorial(order) * values[order]


def truth(operator, weights, points):
    """The values of an operator's derivatives for a tanh network.

    Args:
        operator: an `Operator`.
        weights: list of kernels and biases in turn.
        points: `(n, d)`.

    Returns:
        A dict from name to a `longdouble` array `(n, number of components)`.
    """
    weights = [np.asarray(weight, np.longdouble) for weight in weights]
    points = np.asarray(points, np.longdouble)
    along = functools.cache(
        lambda direction, order: _line_derivative(
            weights, points, vector(direction, points.shape[1]).astype(np.longdouble), order
        )
    )
    stacks = {
        order: np.stack([sum(f * along(v, order) for v, f in lines(a).items()) for a in each])
        for order, each in partials(operator).items()
    }
    return assemble(operator, stacks, lambda columns: np.concatenate(columns, axis=1))
