"""Mini-batches with a batch size for each set of points."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from problems import Formula, heat_points, small_heat

import kpinn
from kpinn.problem.points import prepare
from kpinn.training.permutations import permuted
from kpinn.training.schedule import Schedule

SETS = {"large": {"x": np.arange(24.0)}, "small": {"x": np.arange(6.0)}, "whole": {"x": [7.0, 8.0]}}
SIZES = {"large": 4, "small": 2}


def three(seen, **compiled):
    """A PINN whose conditions remember the points that they are called with."""

    def remembering(name):
        def condition(x, u):
            seen[name].append(np.ravel(x))
            return u

        condition.__name__ = name
        return condition

    network = Formula(lambda x: x)
    pinn = kpinn.PINN(network, "x", "u", conditions=[remembering(name) for name in seen])
    pinn.compile(keras.optimizers.SGD(0.0), run_eagerly=True, **compiled)
    return pinn


def steps(batch_size=SIZES, points=SETS, epochs=1, **arguments):
    """By condition the points of each step, `(epochs * steps, batch size)`."""
    seen = {name: [] for name in points}
    forget = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: [found.clear() for found in seen.values()]
    )
    keras.utils.set_random_seed(0)
    three(seen).fit(
        points, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[forget], **arguments
    )
    return {name: np.array(found) for name, found in seen.items()}


def test_an_epoch_ends_with_the_most_batches_and_others_begin_again_in_a_new_order():
    found = steps(epochs=2)
    assert found["large"].shape == (12, 4) and found["small"].shape == (12, 2)
    for epoch in found["large"].reshape(2, 24):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(24.0))
    rounds = found["small"].reshape(4, 6)
    np.testing.assert_array_equal(np.sort(rounds), np.tile(np.arange(6.0), (4, 1)))
    assert len({tuple(each) for each in rounds}) == 4
    np.testing.assert_array_equal(found["whole"], np.tile([7.0, 8.0], (12, 1)))


def test_the_last_batch_is_filled_up_with_the_first_points():
    found = steps({"large": 9, "small": 4})
    assert found["large"].shape == (3, 9) and found["small"].shape == (3, 4)
    large, small = found["large"].ravel(), found["small"][:2].ravel()
    np.testing.assert_array_equal(large[24:], large[:3])
    np.testing.assert_array_equal(np.sort(large[:24]), np.arange(24.0))
    np.testing.assert_array_equal(small[6:], small[:2])
    assert len(set(small)) == 6


def test_without_shuffle_points_come_in_their_order():
    found = steps(shuffle=False)
    np.testing.assert_array_equal(found["large"].ravel(), np.arange(24.0))
    np.testing.assert_array_equal(found["small"].ravel(), np.tile(np.arange(6.0), 2))


def test_steps_per_epoch_cut_an_epoch_or_go_round():
    assert steps(steps_per_epoch=2)["large"].shape == (2, 4)
    found = steps(steps_per_epoch=13)["large"]
    rounds = found[:12].reshape(2, 24)
    np.testing.assert_array_equal(np.sort(rounds), np.tile(np.arange(24.0), (2, 1)))
    assert not np.array_equal(*rounds)


def test_all_points_of_a_set_need_no_order():
    found = steps({"large": 12, "small": 6})
    np.testing.assert_array_equal(found["small"], np.tile(np.arange(6.0), (2, 1)))


def losses(batch_size, jit_compile=False, optimizer="adam", **arguments):
    keras.utils.set_random_seed(0)
    compiled = {"steps_per_execution": arguments.pop("steps_per_execution", "auto")}
    pinn = small_heat(optimizer, jit_compile=jit_compile, **compiled)
    history = pinn.fit(heat_points(48, 16), epochs=4, batch_size=batch_size, verbose=0, **arguments)
    return history.history["loss"]


@pytest.mark.parametrize("count", [1, 2, 6, 101])
def test_permutations_without_a_sort_are_uniform(count):
    """Each number comes first as often as others, and each difference of the first and the last."""
    draws = 1_000

    @tf.function
    def drawn():
        def draw(i):
            return permuted(tf.range(count), count, tf.stack([i, 7]))

        return tf.map_fn(draw, tf.range(draws))

    found = drawn().numpy()
    np.testing.assert_array_equal(np.sort(found), np.tile(np.arange(count), (draws, 1)))
    firsts = np.bincount(found[:, 0], minlength=count)
    steps = np.bincount((found[:, -1] - found[:, 0]) % count, minlength=count)[count > 1 :]
    for counts in (firsts, steps):
        expected = draws / len(counts)
        assert np.sum((counts - expected) ** 2) / expected < 20 + 2 * len(counts)


@pytest.mark.parametrize("execution", [1, 4])
def test_parts_of_an_epoch_have_the_same_batches(execution):
    sizes = {"heat": 8, "start": 6}
    expected = losses(sizes)
    assert losses(sizes, steps_per_execution=execution) == pytest.approx(expected, rel=1e-6)


def means(jit_compile, **arguments):
    """The mean over the points that each epoch takes, and how often conditions were traced."""
    traces, counts = [], []

    def large(u):
        traces.append(None)
        return u

    def small(u):
        return u

    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: counts.append(len(traces)))
    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[large, small])
    pinn.compile(keras.optimizers.SGD(0.0), loss=kpinn.losses.Mean(), jit_compile=jit_compile)
    points = {"large": SETS["large"], "small": SETS["small"]}
    history = pinn.fit(
        points, epochs=3, batch_size=SIZES, verbose=0, callbacks=[count], **arguments
    )
    return history.history, counts


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.xla)])
def test_compiled_epochs_take_each_point_in_one_trace(jit_compile):
    history, counts = means(jit_compile)
    np.testing.assert_allclose(history["large"], 11.5, rtol=1e-6)
    np.testing.assert_allclose(history["small"], 2.5, rtol=1e-6)
    assert counts[0] == counts[2]


def test_targets_and_weights_go_with_their_points():
    def data(x, u):
        return u + x

    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[data])
    pinn.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    x = np.linspace(0.0, 1.0, 20)
    wrong = np.where(x < 0.5, 2 * x, 0.0)  # where the weight is zero
    given = {"data": {"x": x}}, {"data": wrong}, {"data": np.where(x < 0.5, 1.0, 0.0)}
    history = pinn.fit(given, epochs=2, batch_size={"data": 5}, verbose=0)
    np.testing.assert_allclose(history.history["loss"], 0.0, atol=1e-12)


def test_conditions_on_the_same_points_share_them_in_a_batch():
    pinn = small_heat()
    points = heat_points(20, 8)
    points["start"] = points["heat"]
    data = prepare(pinn.problem, points)
    for sizes, same in (({"heat": 5, "start": 5}, True), ({"heat": 5, "start": 4}, False)):
        schedule = Schedule(list(pinn.conditions), data, sizes, None, True)
        batch = schedule.batch(data, (3, 0, 0))
        assert (batch.points["heat"]["x"] is batch.points["start"]["x"]) == same


def test_optimizers_with_curvature_take_batches_and_scipy_refuses_them():
    found = losses({"heat": 16}, optimizer=kpinn.optimizers.SSBroyden())
    assert np.isfinite(found).all()
    with pytest.raises(ValueError, match="ScipyMinimize takes all points.*leave out batch_size"):
        losses({"heat": 16}, optimizer=kpinn.optimizers.ScipyMinimize("L-BFGS-B"))


def test_a_step_that_is_not_finite_is_found_in_its_batch():
    def root(x, u):
        return ops.sqrt(u)

    pinn = kpinn.PINN(Formula(lambda x: x), "x", "u", conditions=[root])
    pinn.compile(keras.optimizers.SGD(2e6), jit_compile=False)
    points = {"root": {"x": np.linspace(1.0, 2.0, 12)}}
    with pytest.raises(kpinn.NonFiniteError, match="of 4 points"):
        pinn.fit(points, epochs=9, batch_size={"root": 4}, verbose=0)


@pytest.mark.parametrize(
    ("batch_size", "error"),
    [
        ({}, "batch_size is an empty dict"),
        ({"heart": 3}, "batch_size is given for 'heart', but the conditions are heat, start"),
        ({"heat": 0}, "batch_size of 'heat' is a positive whole number, not 0"),
        ({"heat": 1.5}, "batch_size of 'heat' is a positive whole number, not 1.5"),
        ({"heat": True}, "batch_size of 'heat' is a positive whole number, not True"),
        ({"heat": None}, "batch_size of 'heat' is a positive whole number, not None"),
        ({"start": 17}, "batch_size of 'start' is 17, and it has 16 points"),
        ([3, 4], r"batch_size is a positive whole number, not \[3, 4\]"),
    ],
)
def test_batch_sizes_that_cannot_be(batch_size, error):
    with pytest.raises(ValueError, match=error):
        losses(batch_size)


def test_batch_sizes_that_do_not_fit_the_points():
    pinn = small_heat()
    shared = heat_points(20)["heat"]
    with pytest.raises(ValueError, match="all conditions have one set of points"):
        pinn.fit(shared, batch_size={"heat": 5}, verbose=0)
    dataset = tf.data.Dataset.from_tensors(heat_points())
    with pytest.raises(ValueError, match="is for arrays"):
        pinn.fit(dataset, batch_size={"heat": 5}, verbose=0)

    def fewer(epoch, logs):
        if epoch == 2:
            pinn.replace_points({"heat": heat_points(4)["heat"]})

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=fewer)
    with pytest.raises(ValueError, match="batch_size of 'heat' is 5, and it has 4 points"):
        pinn.fit(heat_points(20), epochs=4, batch_size={"heat": 5}, callbacks=[callback], verbose=0)
    assert int(pinn.optimizer.iterations) == 8


def test_a_condition_that_takes_points_together_has_no_part_of_them():
    def mean(u):
        return u - ops.mean(u)

    def left(u):
        return u

    pinn = kpinn.PINN(kpinn.networks.MLP(units=4, depth=1), "x", "u", conditions=[mean, left])
    pinn.compile("adam", jit_compile=False)
    points = {"mean": {"x": np.linspace(0, 1, 12)}, "left": {"x": np.zeros(6)}}
    with pytest.raises(ValueError, match="condition 'mean' takes its points together"):
        pinn.fit(points, batch_size={"mean": 4}, verbose=0)
    pinn.fit(points, batch_size={"left": 3}, verbose=0)
    assert int(pinn.optimizer.iterations) == 2
