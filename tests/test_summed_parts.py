"""Losses and gradients of many points, which are sums over parts of them, one after the other."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from divided import FUNCTIONS, HEAT, WEIGHTED, by_function, mixed, regularized
from problems import BOX, heat_points, small_heat

import kpinn
from kpinn.objective import many_points as module

PART = 4  # points


def trained(make, points, optimizer):
    keras.utils.set_random_seed(0)
    pinn = make(optimizer())
    history = pinn.fit(points, epochs=4, verbose=0).history["loss"]
    return np.concatenate([np.ravel(weight) for weight in pinn.get_weights()]), history


@pytest.mark.parametrize("count", [2, 4, 5, 13])
def test_the_rows_of_a_part_are_few(count, monkeypatch):
    monkeypatch.setattr(module, "POINTS", PART)
    seen, parts = [], -(-count // PART)

    def condition(t, u_t):
        tf.numpy_function(lambda t: seen.append(len(t)), [t], [])
        return u_t - 1.0

    network = kpinn.networks.MLP(units=4, depth=1)
    pinn = kpinn.PINN(network, "t x", "u", [condition])
    pinn.compile(kpinn.optimizers.LBFGS(), jit_compile=False)
    data = pinn.prepare(BOX.sample(count, seed=0))
    pinn.objective.value_and_gradient(pinn.objective.theta(), data)
    rows = -(-count // parts)  # before, it is tried whether the condition takes points together
    assert seen[-parts:] == [rows] * parts and (parts == 1 or count not in seen)


TOGETHER = {
    "heat": BOX.sample(70, seed=0),
    "start": BOX.face(t=0).sample(1, seed=1),
    "mass": BOX.sample(2, seed=2),
    "centred": BOX.sample(2, seed=3),
}
MANY = (
    TOGETHER,
    {"start": np.full((1, 1), 0.2), "centred": np.linspace(0, 1, 2)[:, None]},
    {"heat": np.linspace(0, 2, 70), "centred": np.linspace(1, 2, 2)},
)


def mse(reduction):
    return lambda optimizer: mixed(optimizer, loss=keras.losses.MeanSquaredError(reduction))


CASES = {  # points, most of a part, and how many parts there are
    "whole sets, weights, targets, unknowns": (mixed, MANY, 32, 3),
    "sum": (mse("sum"), MANY, 32, 3),
    "weighted": (mse("mean_with_sample_weight"), MANY, 32, 3),
    "too many together": (mixed, WEIGHTED, 16, 1),
    "common points": (small_heat, BOX.sample(13, seed=4), 4, 4),
    "activities": (regularized, HEAT, 4, 1),
    "declared independent": (by_function, FUNCTIONS, 4, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_parts_have_the_sums_of_the_whole(name, monkeypatch):
    kpinn.set_float64()
    make, points, part, parts = CASES[name]
    found, counts = [], []
    share_of = module.share_of

    def counted(problem, data, number, count, together):
        counts.append(count)
        return share_of(problem, data, number, count, together)

    monkeypatch.setattr(module, "share_of", counted)
    for most in (module.POINTS, part):
        monkeypatch.setattr(module, "POINTS", most)
        keras.utils.set_random_seed(0)
        pinn = make(kpinn.optimizers.LBFGS())
        data = pinn.prepare(*points) if isinstance(points, tuple) else pinn.prepare(points)
        found.append(pinn.objective.value_and_gradient(pinn.objective.theta(), data))
    assert set(counts) == ({parts} if parts > 1 else set())
    (row, gradient), (expected, of_whole) = found
    np.testing.assert_allclose(row, expected, rtol=1e-13)
    np.testing.assert_allclose(gradient, of_whole, atol=1e-13 * np.abs(of_whole).max())


@pytest.mark.parametrize("optimizer", [kpinn.optimizers.LBFGS, kpinn.optimizers.SSBroyden])
def test_trainings_are_the_same(optimizer, monkeypatch):
    kpinn.set_float64()
    expected, losses = trained(small_heat, heat_points(23, 5), optimizer)
    monkeypatch.setattr(module, "POINTS", PART)
    found, of_parts = trained(small_heat, heat_points(23, 5), optimizer)
    np.testing.assert_allclose(of_parts, losses, rtol=1e-10)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-9)


@pytest.mark.xla
def test_xla_compiles_the_loop_over_parts(monkeypatch):
    kpinn.set_float64()
    monkeypatch.setattr(module, "POINTS", PART)
    found = []
    for jit in (False, True):
        keras.utils.set_random_seed(0)
        pinn = small_heat(kpinn.optimizers.LBFGS(), jit_compile=jit)
        data = pinn.prepare(heat_points(23, 5))
        found.append(pinn.objective.value_and_gradient(pinn.objective.theta(), data)[1])
    np.testing.assert_allclose(*found, atol=1e-13)
