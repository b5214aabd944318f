"""What `kpinn.recommend` takes for which problem."""

import keras
import numpy as np
import pytest
from keras import ops

import kpinn
from kpinn.optimizers import LBFGS, SPRING, LevenbergMarquardt, Sequence, SSBroyden

LINE = kpinn.domains.Box(x=(-1, 1))
SMALL = kpinn.networks.MLP(units=5, depth=1)


def linear(x, u, u_xx):
    return u_xx + x * u - 1.0


def nonlinear(u, u_x):
    return u * u_x - 1.0


def recommended(network=SMALL, condition=linear, count=40, loss=None, **options):
    pinn = kpinn.PINN(network, "x", "u", [condition], **options)
    if loss is not None:
        pinn.compile("adam", loss=loss)
    return kpinn.recommend(pinn, LINE.sample(count, seed=0), print_fn=lambda text: None)


def kinds(found):
    return [type(optimizer) for optimizer, _ in found.stages]


WIDE = kpinn.networks.MLP(units=50, depth=2)  # 2,701 parameters
LARGE = kpinn.networks.MLP(units=120, depth=2)  # 14,881 parameters
ADAM = keras.optimizers.Adam


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [LevenbergMarquardt]),
        ({"condition": nonlinear}, [LevenbergMarquardt]),
        ({"network": kpinn.networks.RandomFeatures(20, scale=3.0)}, [LevenbergMarquardt]),
        ({"network": WIDE}, [ADAM, SSBroyden]),
        ({"loss": kpinn.losses.Mean()}, [LevenbergMarquardt]),
        ({"network": LARGE}, [SPRING]),
        ({"network": LARGE, "count": 20_000}, [ADAM, LBFGS]),
        ({"method": kpinn.Stochastic(directions=2), "condition": nonlinear}, [ADAM]),
    ],
)
def test_optimizers(options, expected):
    assert kinds(recommended(**options)) == expected


@pytest.mark.parametrize(
    ("options", "word", "is_said"),
    [
        ({}, "RandomFeatures", True),
        ({"condition": nonlinear}, "RandomFeatures", False),
        ({"network": kpinn.networks.RandomFeatures(20, scale=3.0)}, "RandomFeatures", False),
        ({"network": kpinn.networks.RandomFeatures(20, scale=3.0)}, "one step", True),
        (
            {"network": kpinn.networks.RandomFeatures(20, scale=3.0), "condition": nonlinear},
            "a few",
            True,
        ),
        ({}, "set_float64", True),
        ({"network": WIDE}, "40 residuals are few for 2,701 parameters", True),
        ({"count": 400}, "residuals are few", False),
    ],
)
def test_reasons(options, word, is_said):
    assert (word in str(recommended(**options))) is is_said


def test_it_can_be_trained_with(capsys):
    kpinn.set_float64()

    def equation(x, u_xx):
        return u_xx / np.pi**2 + ops.sin(np.pi * x)

    network = kpinn.layers.HardCondition(
        kpinn.networks.MLP(units=8, depth=2), "x", distance=lambda x: 1 - x**2
    )
    pinn = kpinn.PINN(network, "x", "u", [equation])
    points = LINE.sample(200, seed=0)
    found = kpinn.recommend(pinn, points)
    text = capsys.readouterr().out
    assert text == f"{found}\n" and "set_float64" not in text
    pinn.compile(found.optimizer)
    pinn.fit(points, epochs=min(found.epochs, 80), verbose=0)
    assert pinn.result.loss < 1e-12


def test_several_stages_are_one_optimizer():
    found = recommended(WIDE)
    assert isinstance(found.optimizer, Sequence) and found.epochs == 6_000


def test_misuse():
    with pytest.raises(ValueError, match="print_fn"):
        kpinn.recommend(kpinn.PINN(SMALL, "x", "u", [linear]), LINE.sample(5), print_fn=3)
    with pytest.raises(ValueError, match="points"):
        kpinn.recommend(kpinn.PINN(SMALL, "x", "u", [linear]), {"other": LINE.sample(5)})
    with pytest.raises(ValueError, match="pinn is .*: expected a kpinn.PINN"):
        kpinn.recommend(SMALL, LINE.sample(5))
