"""Points that change when an optimizer with curvature can go no further."""

import keras
import numpy as np
import pytest
from keras import ops
from problems import heat_points, small_heat

import kpinn

LINE = kpinn.domains.Box(x=(-1, 1))
OPTIMIZERS = {
    **{
        solver: lambda solver=solver: kpinn.optimizers.LevenbergMarquardt(solver)
        for solver in ("dense", "kernel", "sketch")
    },
    "lbfgs": kpinn.optimizers.LBFGS,
    "bfgs": kpinn.optimizers.BFGS,
    "ssbroyden": kpinn.optimizers.SSBroyden,
}


def poisson(optimizer):
    """u_xx = -pi^2 sin(pi x) in float64, with fewer points than parameters."""
    kpinn.set_float64()
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(units=8, depth=2)
    network = kpinn.layers.HardCondition(network, "x", distance=lambda x: 1 - x**2)

    def equation(x, u_xx):
        return u_xx / np.pi**2 + ops.sin(np.pi * x)

    pinn = kpinn.PINN(network, "x", "u", [equation])
    pinn.compile(OPTIMIZERS[optimizer]() if optimizer in OPTIMIZERS else optimizer)
    return pinn


QUICK = "dense"


@pytest.mark.parametrize(
    "name", [QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in OPTIMIZERS if n != QUICK)]
)
def test_another_fit_on_other_points_is_as_good_as_a_fresh_optimizer(name):
    """What was learnt on the points before must not stand in the way, however small it is."""
    first, second = LINE.sample(24, seed=0), LINE.sample(30, seed=1)
    pinn, epochs = poisson(name), 300 if name in ("lbfgs", "bfgs", "ssbroyden") else 40
    pinn.fit(first, epochs=epochs, verbose=0)
    weights = pinn.get_weights()
    losses = pinn.fit(second, epochs=epochs, verbose=0).history["loss"]
    fresh = poisson(name)
    fresh.set_weights(weights)
    expected = fresh.fit(second, epochs=epochs, verbose=0).history["loss"]
    assert len(losses) > 5
    assert losses[-1] < 100 * expected[-1]


@pytest.mark.parametrize(
    "solver", ["dense", "kernel", pytest.param("sketch", marks=pytest.mark.slow)]
)
def test_a_damping_of_nothing_is_no_end(solver):
    pinn = poisson(solver)
    points = LINE.sample(24, seed=0)
    pinn.fit(points, epochs=2, verbose=0)
    pinn.optimizer.state["damping"].assign(3.7e-31)
    losses = pinn.fit(points, epochs=8, verbose=0).history["loss"]
    assert len(losses) == 8 and losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("name", ["dense", "ssbroyden"])
def test_an_optimizer_waits_for_a_callback_that_may_change_points(name):
    """`no_progress` is no end where `Resample` is to come; the epochs until then cost nothing."""
    pinn = poisson(name)
    pinn.fit(LINE.sample(12, seed=0), epochs=400, verbose=0)
    assert pinn.result.code == "no_progress"
    resample = kpinn.callbacks.Resample(lambda seed: LINE.sample(12, seed=seed), every=40)
    history = pinn.fit(LINE.sample(12, seed=0), epochs=120, verbose=0, callbacks=[resample])
    losses = history.history["loss"]
    assert len(losses) == 120
    assert losses[10] == losses[39] and losses[40] > 1e3 * losses[39] and losses[79] < losses[40]
    assert pinn.result.iterations < 120


def at_its_end():
    """An optimizer that can go no further after each step."""
    return small_heat(kpinn.optimizers.LBFGS(tolerance=1e9))


class Changes(keras.callbacks.Callback):
    """Changes something else whenever it is called for a multiple of four times."""

    def __init__(self, hook):
        super().__init__()
        self.count, self.iterations = 0, []
        setattr(self, hook, self.act)

    def act(self, *_, **__):
        pinn, self.count = self.model, self.count + 1
        first = pinn.network.layers[0].kernel
        changes = [
            lambda: pinn.replace_points(heat_points(16, 4)),
            lambda: pinn.loss_weights["start"].assign(3.0),
            lambda: first.assign(0.5 * first),
            lambda: pinn.replace_weights({"start": np.full(4, 2.0)}),
            lambda: setattr(pinn, "conductivity", 2.0),
        ]
        if self.count % 4 == 0:
            self.iterations.append(int(pinn.optimizer.iterations))
            changes[self.count // 4 - 1]()


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_train_batch_begin"])
def test_a_callback_of_a_user_wakes_it(hook):
    pinn, callback = at_its_end(), Changes(hook)
    history = pinn.fit(heat_points(16, 4), epochs=22, verbose=0, callbacks=[callback])
    assert len(history.epoch) == 22
    assert callback.iterations == [1, 2, 3, 4, 5]
    assert int(pinn.optimizer.iterations) == 6
    assert pinn.result.code == "converged"


def test_callbacks_that_change_nothing_do_not_keep_it_waiting():
    class Logs(keras.callbacks.Callback):
        changes_loss = False

    pinn = at_its_end()
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=50)
    for callbacks in ([], [stop], [Logs()]):
        history = pinn.fit(heat_points(16, 4), epochs=10, verbose=0, callbacks=callbacks)
        assert len(history.epoch) == 1


def test_the_next_stage_begins_when_it_would_have():
    stages = [(kpinn.optimizers.LBFGS(tolerance=1e9), 5), ("sgd", 3)]
    pinn = small_heat(kpinn.optimizers.Sequence(stages))
    resample = kpinn.callbacks.Resample(lambda seed: heat_points(16, 4), every=3)
    history = pinn.fit(heat_points(16, 4), epochs=8, verbose=0, callbacks=[resample])
    assert len(history.epoch) == 8
    iterations = [int(stage.optimizer.iterations) for stage in pinn.optimizer.stages]
    assert iterations == [2, 3]
