"""Traces and memory: as many as there are shapes at a time, and no more."""

import gc
import logging
import pathlib
import sys

import numpy as np
import pytest
from keras import ops
from tensorflow.python.framework.func_graph import FuncGraph

import kpinn
from kpinn.objective.compiled import COMPILED, SHAPES

sys.path.insert(0, str(pathlib.Path(__file__).parent / "reliability"))

import memory


def decay(u, u_x):
    return u_x + u


def pinn_of(optimizer="adam", **settings):
    pinn = kpinn.PINN(kpinn.networks.MLP(units=2, depth=1), "x", "u", conditions=[decay])
    pinn.compile(optimizer, **{"jit_compile": False} | settings)
    return pinn


def graphs():
    gc.collect()
    return sum(isinstance(each, FuncGraph) for each in gc.get_objects())


@pytest.mark.parametrize("optimizer", ["adam", kpinn.optimizers.LBFGS], ids=str)
def test_growing_sets_keep_the_traces_of_a_few_sizes(optimizer):
    pinn = pinn_of(optimizer if isinstance(optimizer, str) else optimizer())
    found = []
    for size in range(10, 13 + SHAPES):
        pinn.fit({"x": np.linspace(0.0, 1.0, size)}, verbose=0)
        found.append(graphs())
    assert found[-1] == found[-2] == found[-3]


def test_models_that_are_gone_leave_no_trace():
    def train():
        pinn_of().fit({"x": np.linspace(0.0, 1.0, 5)}, verbose=0)
        return graphs()

    train()
    assert train() == train()


@pytest.mark.xla
def test_xla_compiles_the_first_sizes_only():
    pinn = pinn_of(jit_compile=True)
    sizes = iter(range(5, 100))
    for _ in range(COMPILED):
        pinn.fit({"x": np.linspace(0.0, 1.0, next(sizes))}, verbose=0)
    with pytest.warns(UserWarning, match="12 different numbers, for each of which XLA compiles"):
        pinn.fit({"x": np.linspace(0.0, 1.0, next(sizes))}, verbose=0)
    pinn.fit({"x": np.linspace(0.0, 1.0, next(sizes))}, verbose=0)


@pytest.mark.parametrize("grow", [10, -10])
def test_batches_of_sets_that_grow_or_shrink(grow):
    def sample(seed):
        return {"x": np.random.default_rng(seed).random(60 + grow * seed)}

    pinn = pinn_of("sgd")
    resample = kpinn.callbacks.Resample(sample)
    losses = pinn.fit(sample(0), batch_size=16, epochs=4, verbose=0, callbacks=[resample])
    assert np.isfinite(losses.history["loss"]).all()
    steps = [-(-(60 + grow * epoch) // 16) for epoch in range(4)]  # every point once per epoch
    assert int(pinn.optimizer.iterations) == sum(steps)


def test_seven_models_without_a_warning(caplog):
    """TensorFlow counts the traces of all functions that are made of the same code."""
    points = {"x": np.linspace(0.0, 1.0, 5)}
    with caplog.at_level(logging.WARNING, logger="tensorflow"):
        for _ in range(7):
            pinn = pinn_of("sgd")
            pinn.fit(points, verbose=0)
            pinn.evaluate(points, verbose=0)
            pinn.residuals(points)
    assert "retracing" not in caplog.text


def test_the_start_check_goes_in_chunks(monkeypatch):
    """With a condition that takes its points together too, and with targets."""

    def level(u):
        return u - ops.mean(u)

    monkeypatch.setattr("kpinn.training.fit.CHUNK", 8)
    pinn = kpinn.PINN(kpinn.networks.MLP(units=2, depth=1), "x", "u", conditions=[decay, level])
    pinn.compile("sgd", metrics=["mae"], jit_compile=False)
    x = np.linspace(0.0, 1.0, 30)
    targets = {"decay": np.ones(30)}
    history = pinn.fit({"x": x}, targets, epochs=2, verbose=0).history
    assert {"loss", "decay", "level", "decay_mae", "level_mae"} <= set(history)
    with pytest.raises(ValueError, match="targets of 'decay' have the shape"):
        pinn.fit({"x": x}, {"decay": np.ones((30, 2))}, verbose=0)

    def root(x, u):
        return u + np.float32(0.0) / (x - 1.0)

    pinn = kpinn.PINN(kpinn.networks.MLP(units=2, depth=1), "x", "u", conditions=[root])
    pinn.compile("sgd", jit_compile=False)
    with pytest.raises(ValueError, match="condition 'root' is NaN or infinite at 1 of 30 points"):
        pinn.fit({"x": x}, verbose=0)


@pytest.mark.slow
def test_the_memory_of_the_start_check():
    """Beyond the model and the points, in MiB; it was 2,300."""
    before, _ = memory.measured("points", 1_000_000, 1_000)
    after, _ = memory.measured("start", 1_000_000, 1_000)
    assert after - before < 150
