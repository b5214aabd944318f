"""Streams: points that are drawn anew in each step of a training, inside the compiled step."""

import functools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from keras import ops

import kpinn
from kpinn.callbacks import Checkpoint, Resample, ResidualSampling, ResidualWeights
from kpinn.domains import Ball, Box, Ellipsoid, Mesh, Polygon, Sphere
from kpinn.domains.points import drawing
from kpinn.problem.fresh import drawn

LINE = Box(t=(0, 1))
BOX = Box(t=(0, 1), x=(-1, 1))
CHANNEL = Box(x=(0, 2.2), y=(0, 0.41)) - Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
MOVING = Box(t=(0, 1)) * CHANNEL
CORNER = Box(x=(0, 2), y=(0, 1)) + Box(x=(0, 1), y=(0, 2))
STAR = Polygon(x=[0, 2, 1, 2, 0, -1], y=[0, 0, 1, 2, 2, 1])
SOLID = Mesh(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
)
SOURCES = {
    "polygon": STAR,
    "edges": STAR.boundary(),
    "holed": (STAR - Ball(x=0.5, y=1, radius=0.3)).boundary(),
    "mesh": SOLID,
    "faces": SOLID.boundary(),
    "bodies": Box(x=(-1, 1), y=(-1, 1), z=(-1, 1)) - SOLID,
    "box": BOX,
    "ball": Ball(x=[0, 1, 2], radius=2),
    "difference": CHANNEL,
    "union": CORNER,
    "product": MOVING,
    "surface": Sphere(x=[0, 0, 0], radius=1),
    "boundary": MOVING.boundary(),
    "named": CHANNEL.boundary("cylinder"),
    "ellipse": Ellipsoid(x=0, y=0, radii=(1, 3)).boundary(),
    "where": CORNER.boundary().where(lambda x, n: (x < 0.5) & (n[:, :1] < 0.1)),
    "point": LINE.face(t=0),
}


# The points ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_numbers_are_the_same_points_on_the_host_and_in_a_graph(name):
    source = SOURCES[name]
    for patch in source.inside if isinstance(source, kpinn.domains.Domain) else source.patches:
        unit = np.random.default_rng(0).random((64, patch.draws))
        graph = tf.function(functools.partial(patch.candidates, xp=ops), autograph=False)
        for here, there in zip(patch.candidates(unit), graph(tf.constant(unit)), strict=True):
            assert (here is None) == (there is None)
            if here is not None and here.dtype != bool:
                np.testing.assert_allclose(there, here, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", SOURCES)
def test_points_are_those_of_the_source(name):
    source = SOURCES[name]
    points, like = source.stream(100, seed=0).points(3, 4), source.sample(100, seed=0)
    assert {k: v.shape for k, v in points.items()} == {k: v.shape for k, v in like.items()}
    assert getattr(source, "domain", source).contains(points).all()
    if "n" in points:
        np.testing.assert_allclose(np.linalg.norm(points["n"], axis=1), 1, rtol=1e-12)


def chi_square(cells, shares):
    """The chance of counts as uneven as these, for cells `(n,)` of which each has its share."""
    counts = np.bincount(cells, minlength=len(shares))
    expected = len(cells) * np.asarray(shares) / np.sum(shares)
    statistic = np.sum((counts - expected) ** 2 / expected)
    return scipy.stats.chi2.sf(statistic, len(shares) - 1)


def many(stream, steps=40):
    """The points of several steps, columns behind one another."""
    found = [stream.points(0, step) for step in range(steps)]
    return {name: np.concatenate([each[name] for each in found])[:, 0] for name in found[0]}


def quarters(points):
    """Which quarter of which unit square of the corner a point lies in."""
    x, y = points["x"], points["y"]
    square = np.where(x >= 1, 1, np.where(y >= 1, 2, 0))
    return 4 * square + 2 * (x % 1 >= 0.5) + (y % 1 >= 0.5)


def perimeter(points):
    """Which half of a unit of the boundary of the corner, whose length is 8, without its turns."""
    x, y = points["x"], points["y"]
    along = np.where((y == 0) | (y == 1) | (y == 2), x, y)
    side = np.select([y == 0, x == 2, (y == 1) & (x >= 1), x == 0, y == 2], [0, 1, 2, 3, 4], 5)
    return 4 * side + np.minimum((2 * along).astype(int), 3)


def rings(points):
    x, y = points["x"], points["y"]
    angle = np.arctan2(y, x) / (2 * np.pi) % 1
    return 4 * (4 * (x**2 + y**2)).astype(int) + (4 * angle).astype(int)


def arcs(points):
    """Which 24th of the length of an ellipse."""
    angles = np.linspace(0, 2 * np.pi, 24_001)
    length = np.concatenate(
        [[0], np.cumsum(np.hypot(np.diff(np.cos(angles)), 3 * np.diff(np.sin(angles))))]
    )
    angle = np.arctan2(points["y"] / 3, points["x"]) % (2 * np.pi)
    return (24 * np.interp(angle, angles, length) / length[-1]).astype(int)


UNIFORM = {
    "overlapping boxes": (CORNER, quarters, 12),
    "disk": (Ball(x=0, y=0, radius=1), rings, 16),
    "ellipse": (SOURCES["ellipse"], arcs, 24),
}


@pytest.mark.parametrize("n", [3, 500])
@pytest.mark.parametrize("name", UNIFORM)
def test_points_are_uniform(name, n):
    """With few points in a step too: then patches take turns by chance."""
    source, cells, count = UNIFORM[name]
    found = cells(many(source.stream(n, seed=1), 400 if n == 3 else 40))
    assert chi_square(found, np.ones(count)) > 1e-4


@pytest.mark.parametrize("n", [1, 3, 500])
def test_the_walls_of_a_combination_are_uniform(n):
    points = many(CORNER.boundary().stream(n, seed=2), 400 if n < 500 else 40)
    cells = perimeter(points)
    used = np.unique(cells)
    assert len(used) == 16
    assert chi_square(np.searchsorted(used, cells), np.ones(16)) > 1e-4


def test_a_patch_has_its_share_in_each_step():
    """As whole numbers can: systematic sampling, not chance alone."""
    stream = Box(x=(0, 3), y=(0, 1)).boundary().stream(20, seed=0)
    on_top = [np.sum(stream.points(0, step)["y"] == 1) for step in range(50)]
    assert set(on_top) == {7, 8}
    assert np.mean(on_top) == pytest.approx(7.5, abs=0.3)


def test_extras_come_along():
    stream = Ball(x=[0, 0, 0], radius=2).boundary().stream(50, seed=0, extras="w distance tangents")
    points = stream.points(0, 0)
    np.testing.assert_allclose(points["w"].sum(), 16 * np.pi, rtol=1e-12)
    assert np.abs(points["distance"]).max() < 1e-12
    np.testing.assert_allclose(np.cross(points["s1"], points["s2"]), points["n"], atol=1e-12)


# In a training --------------------------------------------------------------------------------


class Seen:
    """A condition that keeps the points of each evaluation in eager mode."""

    def __init__(self):
        self.points, self.traces = [], 0

    def __call__(self, t, u, u_t):
        if isinstance(t, tf.Tensor) and hasattr(t, "numpy"):
            self.points.append(t.numpy()[:, 0])
        else:
            self.traces += 1
        return u_t + u

    def of_steps(self, count):
        """The points of the last steps, as one array."""
        return np.concatenate(self.points[-count:])


def start(u):
    return u - 1.0


def pinn_of(optimizer="adam", equation=None, **options):
    keras.utils.set_random_seed(0)
    equation = equation or Seen()

    def decay(t, u, u_t):
        return equation(t, u, u_t)

    network = kpinn.networks.MLP(units=6, depth=1)
    pinn = kpinn.PINN(network, "t", "u", conditions=[decay, start])
    pinn.compile(optimizer, **{"jit_compile": False} | options)
    return pinn


def sets(n=20, **arguments):
    return {"decay": LINE.stream(n, **arguments), "start": LINE.face(t=0).sample(1)}


def weights(pinn):
    return np.concatenate([np.ravel(variable) for variable in pinn.variables])


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.02),
    "spring": lambda: kpinn.optimizers.SPRING(),
    "levenberg_marquardt": lambda: kpinn.optimizers.LevenbergMarquardt(),
    "lbfgs": lambda: kpinn.optimizers.LBFGS(),
    "bfgs": lambda: kpinn.optimizers.BFGS(),
    "ssbroyden": lambda: kpinn.optimizers.SSBroyden(),
}


def quick(*names):
    """Parameters of which these are always run."""
    return [
        name if name in names else pytest.param(name, marks=pytest.mark.slow) for name in OPTIMIZERS
    ]


@pytest.mark.parametrize("name", quick("levenberg_marquardt", "lbfgs"))
def test_each_optimizer_trains(name):
    pinn, points = pinn_of(OPTIMIZERS[name]()), sets()
    before = pinn.evaluate(points, verbose=0)[0]
    history = pinn.fit(points, epochs=6, steps_per_epoch=10, verbose=0)
    assert len(history.epoch) == 6
    assert pinn.evaluate(points, verbose=0)[0] < 0.1 * before
    u = pinn.predict_fields({"t": [0.0, 1.0]})["u"].ravel()
    assert abs(u[0] - 1) < 0.3 and u[1] < u[0]


def test_each_step_has_the_points_of_its_number():
    seen = Seen()
    pinn, points = pinn_of(equation=seen, run_eagerly=True), sets(8, seed=5)
    pinn.fit(points, epochs=2, steps_per_epoch=3, verbose=0)
    steps = [points["decay"].points(epoch, step)["t"] for epoch in range(2) for step in range(3)]
    np.testing.assert_allclose(seen.of_steps(6), np.concatenate(steps)[:, 0], rtol=1e-6)


def test_no_steps_sets_or_fits_share_points():
    first, second = Seen(), Seen()

    def decay(t, u, u_t):
        return first(t, u, u_t)

    def again(t, u, u_t):
        return second(t, u, u_t)

    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "t", "u", conditions=[decay, again])
    pinn.compile("sgd", run_eagerly=True)
    points = {"decay": LINE.stream(30), "again": LINE.stream(30)}
    found = []
    for _ in range(2):
        pinn.fit(points, epochs=2, steps_per_epoch=2, verbose=0)
        found += [first.of_steps(4), second.of_steps(4)]
    found += [points["decay"].points()["t"][:, 0], points["again"].points()["t"][:, 0]]
    found = np.concatenate(found)
    assert len(np.unique(found)) > 0.99 * len(found)  # of float32


def test_stages_of_a_sequence_and_replicas_share_no_points():
    seen = Seen()
    optimizer = kpinn.optimizers.Sequence([("sgd", 2), ("adam", 2)])
    pinn = pinn_of(optimizer, seen, run_eagerly=True)
    pinn.fit(sets(30), epochs=4, verbose=0)
    assert len(np.unique(seen.of_steps(4))) > 115
    stream = LINE.stream(30, seed=0)
    replicas = [stream.draw(0, 0, 0, 0, replica)["t"].numpy() for replica in range(4)]
    assert len(np.unique(replicas)) == 120


@pytest.mark.parametrize("name", quick("lbfgs")[2:])
def test_all_evaluations_of_an_iteration_see_the_same_points(name):
    seen = Seen()
    pinn = pinn_of(OPTIMIZERS[name](), seen, run_eagerly=True)
    points = sets(8, seed=3)
    pinn.fit(points, epochs=3, verbose=0)
    steps = [points["decay"].points(epoch)["t"][:, 0] for epoch in range(3)]
    numbers = [
        next((i for i, step in enumerate(steps) if np.allclose(step, each, rtol=1e-6)), -1)
        for each in seen.points
        if len(each) == 8
    ]
    later = [number for number in numbers if number >= 0]
    assert later == sorted(later) and set(later) == {0, 1, 2}
    assert numbers[-len(later) :] == later  # the checks before the first step have others
    assert len(later) > 3


def test_a_seed_makes_it_reproducible():
    pinn = pinn_of("sgd")
    begin = pinn.get_weights()

    def losses(random, stream):
        pinn.set_weights(begin)
        keras.utils.set_random_seed(random)
        return pinn.fit(sets(seed=stream), epochs=4, verbose=0).history["loss"]

    assert losses(1, None) == losses(1, None) != losses(2, None)
    assert losses(1, 7) == losses(2, 7) != losses(2, 8)


@pytest.mark.xla
def test_xla_draws_the_same_points():
    def losses(jit):
        pinn = pinn_of("sgd", jit_compile=jit)
        sources = {"decay": CHANNEL, "start": CHANNEL.boundary("cylinder")}
        points = {name: source.stream(40, seed=0) for name, source in sources.items()}
        return pinn.fit(points, epochs=4, steps_per_epoch=2, verbose=0).history["loss"]

    def pinn_of(optimizer, jit_compile):
        keras.utils.set_random_seed(0)

        def decay(x, u, u_y):
            return u_y + x * u

        network = kpinn.networks.MLP(units=6, depth=1)
        pinn = kpinn.PINN(network, "x y", "u", conditions=[decay, start])
        pinn.compile(optimizer, jit_compile=jit_compile)
        return pinn

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-5)


def test_equal_streams_need_no_new_trace():
    seen = Seen()
    pinn = pinn_of(equation=seen)
    pinn.fit(sets(), epochs=3, steps_per_epoch=2, verbose=0)
    before = seen.traces
    assert before > 0
    pinn.fit(sets(), epochs=3, steps_per_epoch=2, verbose=0)
    assert seen.traces == before
    pinn.fit(sets(21), epochs=1, verbose=0)
    assert seen.traces > before


class StopError(Exception):
    """The power is gone."""


class StopAt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 4:
            raise StopError


SLOW = [("adam", True), ("lbfgs", False), ("lbfgs", True)]
SLOW = [pytest.param(*case, marks=pytest.mark.slow) for case in SLOW]


@pytest.mark.parametrize(("name", "has_seed"), [("adam", False), *SLOW])
def test_a_training_goes_on_to_the_last_bit(name, has_seed, tmp_path):
    """Without a seed the script that is started again has other generators, and draws the same."""

    def train(random, *callbacks, path=tmp_path):
        pinn = pinn_of(OPTIMIZERS[name]())
        keras.utils.set_random_seed(random)
        checkpoint = Checkpoint(path, every=2)
        points = sets(seed=4 if has_seed else None)
        arguments = {"epochs": 8, "steps_per_epoch": 2, "verbose": 0}
        pinn.fit(points, callbacks=[checkpoint, *callbacks], **arguments)
        return weights(pinn)

    with pytest.raises(StopError):
        train(1, StopAt())
    if has_seed:
        resumed = train(2)
    else:
        with pytest.warns(UserWarning, match="given other points than before"):
            resumed = train(2)
    np.testing.assert_array_equal(resumed, train(1, path=tmp_path / "unbroken"))


def test_arrays_in_place_of_a_stream_are_another_training(tmp_path):
    pinn = pinn_of()
    with pytest.raises(StopError):
        pinn.fit(sets(), epochs=6, verbose=0, callbacks=[Checkpoint(tmp_path), StopAt()])
    arrays = sets() | {"decay": LINE.sample(20)}
    with pytest.raises(ValueError, match="of another training: points was"):
        pinn_of().fit(arrays, epochs=6, verbose=0, callbacks=[Checkpoint(tmp_path)])


def test_arrays_beside_a_stream_have_batches_targets_and_weights():
    seen, first = Seen(), Seen()

    def decay(t, u, u_t):
        return seen(t, u, u_t)

    def data(t, u, u_t):
        first(t, u, u_t)
        return u

    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "t", "u", conditions=[decay, data])
    pinn.compile("sgd", run_eagerly=True)
    t = np.linspace(0, 1, 6)
    points = {"decay": LINE.stream(9), "data": {"t": t}}
    rest = {"sample_weight": {"data": np.ones(6)}, "verbose": 0, "shuffle": False}
    for size in (2, {"data": 2}):
        pinn.fit(points, {"data": np.exp(-t)}, epochs=2, batch_size=size, **rest)
        assert [len(each) for each in seen.points[-6:]] == 6 * [9]
        np.testing.assert_allclose(first.of_steps(3), t, rtol=1e-6)


@pytest.mark.parametrize("seed", [None, 0])
def test_a_stream_of_several_conditions_is_one_set(seed):
    pinn, stream = pinn_of(), LINE.stream(5, seed=seed)
    numbers = [tf.constant(number) for number in (1, 2, 3)]
    points = drawn(pinn.prepare({"decay": stream, "start": stream}), *numbers).points
    assert points["decay"]["t"] is points["start"]["t"]
    shared = drawn(pinn.prepare(stream), *numbers).points
    assert shared["t"].dtype == tf.float32
    np.testing.assert_array_equal(shared["t"], points["decay"]["t"])


@pytest.mark.parametrize("name", ["adam", pytest.param("lbfgs", marks=pytest.mark.slow)])
def test_what_is_not_finite_is_found_in_the_points_of_the_step(name):
    stream = LINE.stream(5, seed=1)
    steps = [(epoch, step) for epoch in range(9) for step in range(2)]
    largest = [stream.points(*each)["t"].max() for each in [(), *steps]]
    number = next(i for i in range(2, 19) if largest[i] > max(largest[:i]))
    limit = max(largest[:number])

    def decay(t, u, u_t):
        return u_t + u * ops.sqrt(limit + 1e-7 - t) ** 2

    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "t", "u", conditions=[decay])
    pinn.compile(OPTIMIZERS[name](), jit_compile=False)
    epoch, step = steps[number - 1]
    message = rf"epoch {epoch + 1}, step {step + 1}: .* of condition 'decay' .* at 1 of 5 points"
    with pytest.raises(kpinn.NonFiniteError, match=message):
        pinn.fit(stream, epochs=9, steps_per_epoch=2, verbose=0)


# Outside of the steps ---------------------------------------------------------------------------


def test_evaluations_see_the_same_points_each_time():
    pinn, points = pinn_of(), sets(seed=1)
    fixed = points | {"decay": points["decay"].points()}
    assert pinn.evaluate(points, verbose=0) == pinn.evaluate(fixed, verbose=0)
    np.testing.assert_array_equal(pinn.residuals(points)["decay"], pinn.predict(fixed)["decay"])
    frozen = keras.optimizers.SGD(0.0)
    pinn.compile(frozen, jit_compile=False)
    history = pinn.fit(points, epochs=3, validation_data=points, verbose=0).history
    assert len(set(history["val_decay"])) == 1 and len(set(history["decay"])) == 3
    np.testing.assert_array_equal(
        pinn.training_points["decay"]["t"], np.float32(fixed["decay"]["t"])
    )


def test_callbacks_may_choose_the_points_of_other_sets():
    pinn = pinn_of()
    resample = Resample(lambda seed: {"start": {"t": [0.1 * seed]}}, every=2)
    pinn.fit(
        sets(), epochs=4, verbose=0, callbacks=[resample, kpinn.callbacks.LossBalancing(every=2)]
    )
    assert float(pinn.training_points["start"]["t"][0, 0]) == pytest.approx(0.2)


# What is refused --------------------------------------------------------------------------------


def fit(points=None, optimizer="adam", **arguments):
    pinn_of(optimizer).fit(points or sets(), verbose=0, **arguments)


class OwnStep(kpinn.PINN):
    def train_step(self, batch):
        return super().train_step(batch)


def own_step():
    pinn = OwnStep(kpinn.networks.MLP(units=4, depth=1), "t", "u", conditions=[start])
    pinn.compile("sgd", jit_compile=False)
    pinn.fit(LINE.stream(4), verbose=0)


REFUSED = {
    "ScipyMinimize needs the same points": lambda: fit(None, kpinn.optimizers.ScipyMinimize()),
    "targets of 'decay' belong to points": lambda: fit(y={"decay": np.ones(20)}),
    "sample_weight of 'decay' belong": lambda: fit(sample_weight={"decay": np.ones(20)}),
    "which are those of decay: leave": lambda: fit(batch_size={"decay": 5}),
    "which are those of decay, start": lambda: fit(LINE.stream(9), batch_size=5),
    "by a train_step of your own": own_step,
    "points of 'decay' cannot be replaced": lambda: fit(
        epochs=2, callbacks=[Resample(lambda seed: {"decay": LINE.sample(20)})]
    ),
    "cannot replace points": lambda: fit(
        epochs=2, callbacks=[Resample(lambda seed: {"start": LINE.stream(20)})]
    ),
    "ResidualSampling draws points of 'decay'": lambda: fit(
        epochs=2, callbacks=[ResidualSampling(lambda seed: {"decay": LINE.sample(50)})]
    ),
    "weights of 'decay' cannot be replaced": lambda: fit(callbacks=[ResidualWeights()]),
    "inside a compiled step .NotImplementedError": lambda: (
        CORNER.boundary().where(lambda x: np.sin(x) < 0.5).stream(9)
    ),
    "4096 points of .* take .* candidates": lambda: (
        CORNER.boundary().where(lambda x: ops.abs(x - 0.3) < 2e-5).stream(4096)
    ),
    "has no seed": lambda: LINE.stream(9).points(0),
    "`n` must be a positive int": lambda: LINE.stream(0),
    "`seed` must be a non-negative int": lambda: LINE.stream(9, seed=-1),
    "Unknown extra": lambda: LINE.stream(9, extras="v"),
    "have no normals": lambda: LINE.stream(9, extras="tangents"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_is_refused_by_name(message):
    with pytest.raises((TypeError, ValueError), match=message):
        REFUSED[message]()


def test_the_share_of_a_thin_part_is_known_from_many_candidates():
    thin = Box(x=(0, 1), y=(0, 1)).face(y=0).where(lambda x: x < 0.01)
    found, tried = drawing.counted(thin.patches, np.random.default_rng(0), 1_000)
    assert found >= 1_000 and found / tried == pytest.approx(0.01, rel=0.1)
