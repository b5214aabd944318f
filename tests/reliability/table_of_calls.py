"""The public calls of kpinn and the kinds of their arguments."""

import dataclasses
import functools
import tempfile
from collections.abc import Callable

import keras
import kinds_of_values as kinds
import numpy as np
from hypothesis import strategies as st
from kinds_of_values import (
    FLAG,
    LABEL,
    POSITIVE,
    SCALAR,
    SEED,
    Kind,
    choice,
    fresh,
    later,
    number,
    whole,
)

import kpinn


@dataclasses.dataclass(frozen=True)
class Call:
    """A public callable.

    Attributes:
        name: as users write it.
        function: takes the arguments by name.
        arguments: dict from name to `Kind`.
        weight: how often it is drawn.
        right: how often with right arguments, for one of each argument.
    """

    name: str
    function: Callable
    arguments: dict
    weight: int = 2
    right: int = 1


CALLS = []


def call(name, function, weight=2, right=1, /, **arguments):
    """Adds a call to the table."""
    CALLS.append(Call(name, function, arguments, weight, right))


# Networks and layers ---------------------------------------------------------------------------

EMBEDDING = Kind(
    later(lambda: None, lambda: kpinn.layers.Rescale(-1.0, 1.0)),
    st.sampled_from([3, "rescale", kinds.nothing, [None], 1j]),
)
MLP = {
    "units": whole(1),
    "depth": whole(1, 2),
    "outputs": whole(1),
    "name": LABEL,
    "embedding": EMBEDDING,
}
DENSE = Kind(
    st.just(kpinn.layers.FactorizedDense),
    st.sampled_from([3, "Dense", None, lambda *args, **kwargs: 3]),
)
HIDDEN = {
    "activation": kinds.ACTIVATION,
    "dense": DENSE,
    "kernel_initializer": kinds.INITIALIZER,
}
call("networks.MLP", kpinn.networks.MLP, 3, **MLP, **HIDDEN)
call("networks.ModifiedMLP", kpinn.networks.ModifiedMLP, 2, **MLP, **HIDDEN)
FREQUENCIES = {"first_frequency": POSITIVE, "frequency": POSITIVE}
call("networks.SIREN", kpinn.networks.SIREN, 2, **MLP, **FREQUENCIES)
RANDOM = {
    "units": whole(1),
    "activation": kinds.ACTIVATION,
    "scale": Kind(
        st.sampled_from([None, 1.0, 3, [1.0, 2.0], np.array([1.0, 2.0])]),
        st.sampled_from([0.0, -1.0, [0.0, 1.0], "a", ["a"], np.nan, 1j, True, [[1.0]], "2", []]),
    ),
    "windows": Kind(
        st.sampled_from([None, 2, [1, 3], (2, 2)]),
        st.sampled_from([0, [0, 1], 1.5, "a", "2", [1j], True, [True], {1: 2}, [[1]], []]),
    ),
    "seed": Kind(st.sampled_from([None, 0, 7]), st.sampled_from([-1, 1.5, "a", [1], 1j, True])),
    "interactions": Kind(
        st.sampled_from([None, 1, 2, 7]),
        st.sampled_from([0, -1, 1.5, "a", [1], 1j, True, np.nan]),
    ),
}
call("networks.RandomFeatures", kpinn.networks.RandomFeatures, 2, **RANDOM, outputs=whole(1))
call(
    "layers.RandomFeatures", kpinn.layers.RandomFeatures, 2, **RANDOM | {"units": whole(1).needed()}
)
PRODUCTS = {"units": whole(1), "depth": whole(1), "rank": whole(1)}
PRODUCTS |= {name: HIDDEN[name] for name in ("activation", "kernel_initializer")}
call("networks.Separable", kpinn.networks.Separable, 2, **PRODUCTS, outputs=whole(1))
call("layers.Separable", kpinn.layers.Separable, 2, **PRODUCTS)

PARTS = Kind(
    st.just({"u": kpinn.networks.MLP(4, 1)}),
    st.sampled_from([None, {}, 3, {"u": 3}, {"u": (kpinn.networks.MLP(4, 1), "q")}, {3: None}]),
)
COLUMNS = Kind(st.just("t x"), st.sampled_from([None, 3, "", "t t", "1", ["t", 3]]))
call(
    "networks.Fields",
    kpinn.networks.Fields,
    2,
    networks=PARTS.needed(),
    coordinates=COLUMNS.needed(),
)

# That `q` is no direction which comes with the points is known when the layer is called.
IN_LAYERS = dataclasses.replace(
    kinds.REQUESTS, invalid=kinds.REQUESTS.invalid.filter(lambda each: each != "u_q")
)
NAMES = {
    "network": kinds.NETWORK.needed(),
    "requests": IN_LAYERS.needed(),
    "coordinates": kinds.COORDINATES.needed(),
    "fields": kinds.FIELDS,
}
STEP = Kind(
    st.sampled_from([None, 0.1, {"x": 0.1}]),
    st.sampled_from([0.0, -0.1, "a", {"x": "a"}, [0.1], np.nan, True, 1j]),
)
DIFFERENCES = {
    "accuracy": choice(2, 4, 6),
    "scheme": choice("central", "forward", "backward"),
    "step": STEP,
}
PERIODS = Kind(
    st.sampled_from([[None, 2.0], {1: 2.0}, (1.0, None)]),
    st.sampled_from([2.0, [], [None, None], [0.0], ["a"], {"a": 1.0}, {0: -1.0}, None, 1j, "2"])
    | st.sampled_from(["12", ["2"], {1: "2"}, [True], {1.5: 2.0}, {True: 2.0}, b"2"]),
)
SCALE = Kind(
    st.sampled_from([1.0, [1.0, 2.0], np.array([1.0, 2.0])]),
    st.sampled_from([0.0, -1.0, [], [1.0, 0.0], "a", ["a"], None, np.nan, 1j, True, [[1.0]]])
    | st.sampled_from(["2", ["1", "2"], [True], b"2"]),
)
SHARES = Kind(
    st.sampled_from([4, 8, 8.0]), st.sampled_from([0, -4, 1, 3, 2.5, "4", None, True, []])
)
BOUND = ("lower", "upper")
LOWER = Kind(
    st.sampled_from([-1.0, [-1.0, -2.0], 0]),
    st.sampled_from([5.0, np.nan, "a", None, [[0.0]], 1j, [0.0, 9.0], "-1", ["-1"], False]),
    BOUND,
)
UPPER = Kind(
    st.sampled_from([1.0, [1.0, 2.0], 3]),
    st.sampled_from([-5.0, np.inf, "a", None, [[0.0]], 1j, [1.0, -9.0], "1", ["1"], True]),
    BOUND,
)
VALUE = Kind(
    fresh(lambda: 0.5, lambda: lambda t: t, lambda: lambda t, x: t * x),
    fresh(lambda: "a", lambda: np.nan, lambda: True, lambda: 1j, lambda: lambda y: y, lambda: [1]),
)
call("layers.Derivatives", kpinn.layers.Derivatives, 2, **NAMES, method=kinds.METHOD)
call("layers.FiniteDifference", kpinn.layers.FiniteDifference, 2, **NAMES, **DIFFERENCES)
call(
    "layers.HardCondition",
    kpinn.layers.HardCondition,
    2,
    network=kinds.NETWORK.needed(),
    coordinates=kinds.COORDINATES.needed(),
    value=VALUE.needed(),
    distance=VALUE,
)
RANGES = Kind(
    st.just({"t": (0, 3600), "x": [-1.0, np.float32(1.0)]}),
    st.sampled_from([None, {}, 3, "t x", {"t": 1.0}, {"t": (1.0, 0.0)}, {3: (0, 1)}, [(0, 1)]])
    | st.sampled_from([{"t": (0, np.nan)}, {"t": ("0", "1")}, {"t": (0, 1, 2)}, {"": (0, 1)}])
    | st.sampled_from([{"t": (0, 1j)}, {"t": (False, True)}, {"x[2]": ([0] * 3, [1] * 3)}]),
)
call(
    "layers.Scaled",
    kpinn.layers.Scaled,
    2,
    network=kinds.NETWORK.needed(),
    coordinates=RANGES.needed(),
    fields=Kind(st.just({"u": (-2, 2.0)}), RANGES.invalid).needed(),
)
EDGES_OF_WINDOWS = Kind(
    st.sampled_from([None, [0.0, 1.0], (0, 1, 3), np.linspace(0.0, 1.0, 4)]),
    st.sampled_from([[], [0.0], [1.0, 0.0], [0.0, 0.0], 3, "01", [0.0, np.nan], [0.0, "1"], 1j])
    | st.sampled_from([[[0.0, 1.0]], {0.0: 1.0}, True, [False, True], [0.0, np.inf]]),
)
call(
    "layers.TimeWindows",
    kpinn.layers.TimeWindows,
    2,
    network=kinds.NETWORK.needed(),
    coordinates=kinds.COORDINATES.needed(),
    start=VALUE.needed(),
    order=choice(1, 2),
    edges=EDGES_OF_WINDOWS,
)
call(
    "layers.PeriodicEmbedding",
    kpinn.layers.PeriodicEmbedding,
    2,
    periods=PERIODS.needed(),
    harmonics=whole(1),
    even=FLAG,
)
call(
    "layers.FourierFeatures",
    kpinn.layers.FourierFeatures,
    2,
    units=SHARES.needed(),
    scale=SCALE,
    trainable=FLAG,
    seed=SEED,
)
call("layers.Rescale", kpinn.layers.Rescale, 2, lower=LOWER.needed(), upper=UPPER.needed())
call(
    "layers.FactorizedDense",
    kpinn.layers.FactorizedDense,
    2,
    units=whole(1).needed(),
    activation=kinds.ACTIVATION,
    use_bias=FLAG,
    kernel_initializer=kinds.INITIALIZER,
    bias_initializer=kinds.INITIALIZER,
    mean=kinds.SCALAR,
    stddev=number(0.0, np.inf, True),
)

TABLE = Kind(
    st.sampled_from([[0.0, 1.0, 2.0, 4.0], (0, 1, 2, 3), np.arange(4.0)]),
    st.sampled_from([[], 3.0, "a", None, [1.0, 0.0], [0.0, np.nan, 1.0], 1j, ["1", "2"], [True]])
    | st.sampled_from([[0.0, 1.0], {0: 1.0}, np.zeros((2, 2, 2)), [[0.0, 1.0], 2.0]]),
)
VALUES = Kind(
    st.sampled_from([[1.0, 2.0, 1.0, 0.5], np.ones((4, 2))]),
    st.sampled_from([[1.0], 3.0, "a", None, [1.0, 2.0, np.nan, 0.0], 1j, [[1.0, 2.0]], ["1"] * 4])
    | st.sampled_from([[True] * 4, {0: 1.0}, np.ones((4, 0)), [1j] * 4]),
    ("table",),
)
call(
    "layers.Interpolation",
    kpinn.layers.Interpolation,
    2,
    grid=TABLE.needed(),
    values=VALUES.needed(),
    degree=Kind(
        st.sampled_from([1, 2, 3, [3], (1,)]),
        st.sampled_from([0, -1, 1.5, "a", None, [], [1, 2], True, 1j, np.nan, {}]),
        ("grid",),
    ),
    outside=choice("nan", "clamp", "extrapolate"),
)
AXES = Kind(
    st.sampled_from(["r z", "r", ["r", "z"], ("z", "r"), None]),
    st.sampled_from(["", "z", "r r", "x y", 3, 1j, [], [None], "r theta phi", {"r": 1}]),
)
call("operators.Cylindrical", kpinn.operators.Cylindrical, 1, axes=AXES.needed())
ANGLES = Kind(
    st.sampled_from(["r theta", "r", ["r", "theta", "phi"], None]),
    st.sampled_from(["", "theta", "r r", "r z", 3, 1j, [], [None], {"r": 1}]),
    ("axes",),
)
call("operators.Spherical", kpinn.operators.Spherical, 1, axes=ANGLES.needed())
EDGES = Kind(
    st.sampled_from([{"x": [0, 1, 3]}, {"x": np.arange(3.0), "y": (0.0, 1.0, 2.0)}]),
    st.sampled_from([{}, 3, None, "x", [0, 1], {"x": [0]}, {"x": [1, 0]}, {"x": [0, np.nan]}])
    | st.sampled_from([{"x": "ab"}, {"x": 1.0}, {"x": [[0, 1]]}, {"x": [0, 1j]}, {"x": None}]),
)
TESTS = Kind(
    st.sampled_from([1, 3, "hat"]),
    st.sampled_from([0, -1, 1.5, "sine", None, {"z": 2}, [], [1, 2], True, 1j, np.nan, {}]),
)
call(
    "operators.WeakForm",
    kpinn.operators.WeakForm,
    1,
    edges=EDGES.needed(),
    tests=TESTS,
    nodes=Kind(st.sampled_from([None, 1, 4]), whole(1).invalid.filter(lambda x: x is not None)),
)

# Methods, losses and optimizers ----------------------------------------------------------------

call("Taylor", kpinn.Taylor, 1, strict=FLAG, recompute=FLAG)
call("FiniteDifference", kpinn.FiniteDifference, 1, **DIFFERENCES)
call(
    "Stochastic",
    kpinn.Stochastic,
    1,
    directions=whole(1),
    kind=choice("rademacher", "gaussian", "coordinates"),
    draws=choice(1, 2),
    shared=FLAG,
    seed=whole(0),
)
REDUCTION = Kind(st.sampled_from(["sum", "sum_over_batch_size"]), st.sampled_from(["foo", 3, 1j]))
call("losses.Mean", kpinn.losses.Mean, 1, reduction=REDUCTION)
call("losses.Product", kpinn.losses.Product, 1, reduction=REDUCTION)
call("losses.Inequality", kpinn.losses.Inequality, 1, reduction=REDUCTION)

MEMORY = Kind(
    st.sampled_from([10**6, 1e9]),
    st.sampled_from([0, -1, 0.5, "a", None, np.nan, np.inf, [], True]),
)
CURVATURE = {"first_step": POSITIVE, "tolerance": number(0.0, np.inf, True), "memory": MEMORY}
for kind in (kpinn.optimizers.BFGS, kpinn.optimizers.SSBroyden):
    call(f"optimizers.{kind.__name__}", kind, 1, **CURVATURE)
call("optimizers.LBFGS", kpinn.optimizers.LBFGS, 1, **CURVATURE | {"memory": whole(1)})
LEAST_SQUARES = {
    "solver": choice("dense", "kernel", "sketch"),
    "ratio": number(0.0, 1.0),
    "damping": POSITIVE,
    "trials": whole(1),
    "memory": MEMORY,
}
RANK = whole(1)
call("optimizers.LevenbergMarquardt", kpinn.optimizers.LevenbergMarquardt, 2, **LEAST_SQUARES)
PROJECT = Kind(
    st.sampled_from([None, "last"]), st.sampled_from(["first", "", 1, True, 1j, ["last"], np.nan])
)
call("optimizers.LevenbergMarquardt", kpinn.optimizers.LevenbergMarquardt, 1, project=PROJECT)
sketch = functools.partial(kpinn.optimizers.LevenbergMarquardt, "sketch")
call("optimizers.LevenbergMarquardt", sketch, 1, rank=RANK)
call(
    "optimizers.SPRING",
    kpinn.optimizers.SPRING,
    2,
    learning_rate=POSITIVE,
    damping=POSITIVE,
    momentum=number(0.0, 1.0, True),
    max_norm=POSITIVE,
    memory=MEMORY,
)
MINIMIZERS = choice("L-BFGS-B", "BFGS", "CG", "TNC", "SLSQP", "Newton-CG")
call("optimizers.ScipyMinimize", kpinn.optimizers.ScipyMinimize, 1, method=MINIMIZERS)
STAGES = Kind(
    later(lambda: [("adam", 1)], lambda: [(keras.optimizers.Adam(), 2), ("sgd", 1)]),
    st.sampled_from(
        [[], 3, None, ["adam"], [("adam",)], [("adam", 0)], [("adam", 1.5)], [(None, 2)], "adam"]
    )
    | st.sampled_from([[("adam", "1")], [("adan", 1)], {"adam": 1}, [("adam", np.nan)]]),
    ("stage",),
)
call("optimizers.Sequence", kpinn.optimizers.Sequence, 2, stages=STAGES.needed())

# Callbacks -------------------------------------------------------------------------------------

SAMPLER = Kind(kinds.FUNCTION.valid, kinds.FUNCTION.invalid | st.none())
EVERY = whole(1)
DRAWS = {"sampler": SAMPLER.needed(), "every": EVERY}
call("callbacks.Resample", kpinn.callbacks.Resample, 1, **DRAWS)
call("callbacks.RetainResampleRelease", kpinn.callbacks.RetainResampleRelease, 1, **DRAWS)
EXPONENT = number(0.0, np.inf, True)


def is_not_infinite(value):
    """Whether a value is anything but infinity."""
    return not (isinstance(value, float) and value == np.inf)


call(
    "callbacks.ResidualSampling",
    kpinn.callbacks.ResidualSampling,
    2,
    **DRAWS,
    exponent=Kind(EXPONENT.valid | st.just(np.inf), EXPONENT.invalid.filter(is_not_infinite)),
    constant=number(0.0, np.inf, True),
    add=Kind(whole(1).valid | st.none(), whole(1).invalid),
)
call(
    "callbacks.ImportanceSampling",
    kpinn.callbacks.ImportanceSampling,
    1,
    **DRAWS,
    exponent=EXPONENT,
    constant=POSITIVE,
)
FRACTION = number(0.0, 1.0, True)
CONDITIONS = Kind(st.sampled_from([None, "heat", ["heat"]]), st.sampled_from([3, [], [3], 1j, {}]))
call(
    "callbacks.ResidualWeights",
    kpinn.callbacks.ResidualWeights,
    2,
    conditions=CONDITIONS,
    every=EVERY,
    decay=FRACTION,
    rate=POSITIVE,
)
call(
    "callbacks.LossBalancing",
    kpinn.callbacks.LossBalancing,
    2,
    rule=choice("gradient", "kernel"),
    every=EVERY,
    decay=FRACTION,
)
RULE = {"conditions": CONDITIONS, "every": EVERY}
NAMED = Kind(st.sampled_from(["heat", ["heat", "start"]]), CONDITIONS.invalid).needed()


def is_not_one(value):
    """Whether a value is anything but the number one."""
    return not (isinstance(value, int | float) and value == 1)


PROBABILITY = Kind(FRACTION.valid | st.just(1.0), FRACTION.invalid.filter(is_not_one))
call(
    "callbacks.ReLoBRaLo",
    kpinn.callbacks.ReLoBRaLo,
    2,
    **RULE,
    alpha=PROBABILITY,
    temperature=POSITIVE,
    rho=PROBABILITY,
    seed=Kind(whole(0).valid | st.none(), whole(0).invalid),
)
call(
    "callbacks.SoftAdapt",
    kpinn.callbacks.SoftAdapt,
    1,
    **RULE,
    beta=SCALAR,
    normalized=FLAG,
    loss_weighted=FLAG,
)
call("callbacks.UncertaintyWeights", kpinn.callbacks.UncertaintyWeights, 1, **RULE, decay=FRACTION)
call(
    "callbacks.SelfAdaptiveWeights",
    kpinn.callbacks.SelfAdaptiveWeights,
    1,
    **RULE,
    rate=POSITIVE,
    largest=number(1.0, np.inf, True),
)
call(
    "callbacks.CausalWeights",
    kpinn.callbacks.CausalWeights,
    2,
    conditions=NAMED,
    along=Kind(st.sampled_from(["t", "time"]), st.sampled_from(["", 3, None, ["t"]])),
    epsilon=Kind(
        POSITIVE.valid | st.sampled_from([[0.1, 1.0], (1, 10)]),
        st.sampled_from([0.0, -1.0, [], [1.0, 0.1], [1, 1], "1", None, [None], np.nan, np.inf]),
    ),
    every=EVERY,
    slices=Kind(whole(1).valid | st.none(), whole(1).invalid),
    delta=number(0.0, 1.0, False),
)
call(
    "callbacks.AugmentedLagrangian",
    kpinn.callbacks.AugmentedLagrangian,
    2,
    conditions=NAMED,
    every=EVERY,
    penalty=POSITIVE,
    growth=number(1.0, np.inf, True),
    largest=POSITIVE,
    by=choice("point", "condition"),
)

MEASURED = Kind(st.just("heat"), st.sampled_from(["", 3, None, ["heat"], 1j]), required=True)
call(
    "callbacks.CrossValidation",
    kpinn.callbacks.CrossValidation,
    2,
    condition=MEASURED,
    every=EVERY,
    factor=Kind(st.sampled_from([2, 10.0]), st.sampled_from([1.0, 0.5, -1, np.nan, "a", None, []])),
)
call(
    "callbacks.Discrepancy",
    kpinn.callbacks.Discrepancy,
    2,
    condition=MEASURED,
    noise=Kind(
        POSITIVE.valid | st.sampled_from([[0.1, 0.2], np.ones((3, 1))]),
        st.sampled_from(
            [0.0, -1, np.nan, np.inf, "a", None, [], [0.1, 0.0], 1j, True, [[0.1], []]]
        ),
        required=True,
    ),
    every=EVERY,
)

# Domains ---------------------------------------------------------------------------------------

INTERVAL = Kind(
    st.sampled_from([(0, 1), [-1.0, 2.5], ([0, 0], [1, 2]), (0, [1, 2])]),
    st.sampled_from(
        [
            (1, 0),
            (0, 0),
            3,
            None,
            "ab",
            (0, np.nan),
            (0, np.inf),
            (0,),
            (0, 1, 2),
            (0, 1j),
            [None, 1],
            "01",
            ("0", "1"),
            (False, True),
            {0, 1},
            {0: 1, 1: 2},
        ]
    ),
)
BOX = kpinn.domains.Box(t=(0, 1), x=(0, 1))
SAMPLING = {
    "n": Kind(st.integers(1, 16), whole(1).invalid | st.none(), required=True),
    "method": choice("uniform", "latin_hypercube", "sobol", "halton"),
    "seed": SEED,
    "extras": choice("", "w", "distance w"),
}
INSIDE = Kind(
    st.sampled_from([0, 0.5, 1.0, np.float64(0.25)]),
    st.sampled_from([-1, 2.0, np.nan, "a", None, [0.5, 0.6], 1j, "0.5", True]),
)
PARTS = Kind(
    st.sampled_from([("x",), ("t",), ("t", "x"), ()]),
    st.sampled_from([("y",), ("x", "x"), (3,), (None,), (["x"],)]),
    ("coordinate", "boundary"),
    required=True,
)
call("domains.Box", kpinn.domains.Box, 2, t=INTERVAL.needed(), x=INTERVAL)
call("Box.sample", BOX.sample, 2, **SAMPLING)
call("Box.face", BOX.face, 2, t=INSIDE.needed(), x=INSIDE)
call("Box.boundary", lambda names: BOX.boundary(*names), 1, names=PARTS)
FORMS = kinds.FORMS.named("t", "x", "points")
call("Box.contains", BOX.contains, 2, points=FORMS.needed())
call("Part.sample", BOX.face(t=0).sample, 2, **SAMPLING)
call("Part.sample", BOX.boundary("x").sample, 2, **SAMPLING)
CENTER = Kind(
    st.sampled_from([0, -0.5, np.float64(2.0), [0.5], [0, 1]]),
    st.sampled_from([None, "a", "0", np.nan, np.inf, [[0.0]], [], 1j, True, {0: 1}, object()]),
)
RADII = Kind(
    st.sampled_from([(1, 2), [0.5, 0.5], np.array([1.0, 3.0])]),
    st.sampled_from([1, None, (1,), (1, 2, 3), (1, 0), (1, -1), (1, np.nan), "ab", (1, "2"), {}]),
    ("radii", "radius"),
)
DISK = kpinn.domains.Ball(x=0, y=0, radius=1)
SHIFT = Kind(CENTER.valid.filter(lambda x: np.size(x) == 1), CENTER.invalid)
call("domains.Ball", kpinn.domains.Ball, 2, radius=POSITIVE.needed(), x=CENTER.needed(), y=CENTER)
call(
    "domains.Ring",
    lambda inner, outer: kpinn.domains.Ring(x=0, y=0, inner=inner, outer=outer),
    1,
    inner=number(0.0, 3.0).needed(),
    outer=Kind(st.sampled_from([4, 10.0]), POSITIVE.invalid, required=True),
)
call(
    "domains.Ellipsoid",
    lambda radii: kpinn.domains.Ellipsoid(x=0, y=0, radii=radii),
    1,
    radii=RADII.needed(),
)
call(
    "domains.Cylinder",
    lambda z, radius: kpinn.domains.Cylinder(x=0, y=0, z=z, radius=radius),
    1,
    z=Kind(st.sampled_from([(0, 1), [-1.0, 2.5]]), INTERVAL.invalid, ("z",), required=True),
    radius=POSITIVE.needed(),
)
call("Domain.moved", DISK.moved, 1, x=SHIFT.needed(), y=SHIFT)
call("Domain.scaled", lambda factor: DISK.scaled(factor), 1, factor=POSITIVE.needed())
call("Domain.rotated", lambda angle: DISK.rotated(angle), 1, angle=SCALAR.needed())
NAME = Kind(st.just("disk"), st.sampled_from(["x", "", None, 3, ["a"]]), ("name", "named", "part"))
call("Domain.named", lambda name: DISK.named(name), 1, name=NAME.needed())
call("Domain.quadrature", DISK.quadrature, 1, n=SAMPLING["n"])

# Functions -------------------------------------------------------------------------------------


def product(points):
    """A function of two coordinates."""
    return points[:, :1] * points[:, 1:]


CALLABLE = Kind(
    later(kinds.network, lambda: product), st.sampled_from([3, None, "sin", [1], {}]), ("function",)
)
call(
    "derivatives",
    kpinn.derivatives,
    6,
    function=CALLABLE.needed(),
    points=kinds.ARRAYS.needed(),
    requests=kinds.REQUESTS.needed(),
    coordinates=kinds.COORDINATES,
    fields=kinds.FIELDS,
    method=kinds.METHOD,
)
call(
    "derivatives",
    lambda **arguments: kpinn.derivatives(product, {"t": [0.1], "x": [0.2]}, "u_t", **arguments),
    1,
    coordinates=Kind(st.just("t"), st.nothing(), required=True),
    parameters=kinds.PARAMETERS.needed(),
)
COLUMNS = Kind(
    fresh(
        lambda: np.full((3, 2), 0.5), lambda: [[0.1, 0.2], [0.3, 0.4]], lambda: np.eye(2, dtype=int)
    ),
    fresh(lambda: np.ones((3, 3)), lambda: np.ones(2), lambda: np.ones((3, 2)) * 1j, lambda: "ab")
    | fresh(lambda: [["1", "2"]], lambda: None, lambda: 3, lambda: np.ones((3, 2, 1))),
    ("'x'", "'t'"),
)
call(
    "derivatives",
    lambda **arguments: kpinn.derivatives(coordinates="t x", **arguments),
    2,
    function=CALLABLE.needed(),
    points=COLUMNS.needed(),
    requests=kinds.REQUESTS.needed(),
)
call(
    "check_derivatives",
    lambda **arguments: kpinn.check_derivatives(product, **arguments),
    1,
    points=kinds.ARRAYS.needed(),
    requests=kinds.REQUESTS,
    fields=kinds.FIELDS,
    count=whole(1, 8),
    seed=whole(0),
)
call("condition", lambda function: kpinn.condition(function), 1, function=kinds.FUNCTION.needed())
call("field", lambda **a: kpinn.field(**a)(kinds.nothing), 1, size=whole(1))


def applied(theta):
    """`apply` of `kpinn.destructure` with other parameters."""
    _, apply = kpinn.destructure(_built())
    return apply(theta, np.ones((2, 2)))


@functools.cache
def _built():
    built = kinds.network()
    built.build((None, 2))
    return built


THETA = Kind(
    fresh(lambda: np.ones(9), lambda: [0.1] * 9),
    fresh(lambda: np.ones(8), lambda: 0.5, lambda: "a", lambda: np.ones((9, 1)), lambda: [1j] * 9)
    | fresh(lambda: None, lambda: [[1.0], [1.0, 2.0]], lambda: np.ones((3, 3))),
)
call("destructure(...).apply", applied, 2, theta=THETA.needed())
MODEL = Kind(later(_built), st.sampled_from([3, None, "model", kinds.nothing]), ("model",))
call("destructure", kpinn.destructure, 1, model=MODEL.needed())


def plotted(**arguments):
    """A plot of a field of a small model."""
    from calls_of_pinn import shared

    return kpinn.plotting.field(shared("sgd"), BOX, **{"name": "u", "points": 4} | arguments)


FIXED = Kind(
    st.sampled_from([None, {"t": 0.5}]),
    st.sampled_from(
        [3, "t", {"y": 0.5}, {"t": "a"}, {"t": [1, 2]}, {"t": None}, {"t": 1j}, np.ones(2)]
    ),
    ("fixed", "fix"),
)
PLACE = Kind(
    fresh(lambda: None, lambda: tempfile.mkdtemp() + "/a.png"), st.sampled_from([3, [], "", 1j])
)
REFERENCE = Kind(
    fresh(lambda: None, lambda: lambda t, x: t * x), st.sampled_from([3, "a", [1.0, 2.0], 1j])
)
NAME = Kind(
    st.sampled_from(["u", "u_x"]), st.sampled_from(["w", 3, None, "", "u_q", ["u"]]), ("u",)
)
COUNT = Kind(st.integers(2, 4), whole(2).invalid | st.none())
call("plotting.field", plotted, 1, name=NAME, points=COUNT, path=PLACE, fixed=FIXED)
LOGS = Kind(
    st.sampled_from([{"loss": [1.0, 0.5]}]),
    st.sampled_from([{}, 3, None, {"loss": []}, {"loss": "a"}, {"loss": [None]}, "loss"]),
    ("history",),
)
call("plotting.history", kpinn.plotting.history, 1, history=LOGS.needed(), path=PLACE)
