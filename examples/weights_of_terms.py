"""Terms of a loss that differ by orders of magnitude: u_xx = -k^2 sin(k x), k = 4 pi, by Adam.

u(0) = u(1) = 0 as conditions of the loss, whose squares are small beside those of the equation.

Shows: a rule for weights as a callback, beside none and beside a division by k^2 on paper, which is
what to do first.
Kind: elliptic.
Expected: relative L2 error with LossBalancing below 1.2e-2, about half a minute on two CPU cores.
Without a rule it is 2e-2.

Run: python examples/weights_of_terms.py [--short]
"""

import math

import quiet
import keras
import numpy as np
from exact import keep, panels
from keras import ops

import kpinn

K = 4.0 * math.pi


def bent(x, u_xx):
    return u_xx + K**2 * ops.sin(K * x)


def divided(x, u_xx):
    return u_xx / K**2 + ops.sin(K * x)


def walls(u):
    return u


line = kpinn.domains.Box(x=(0, 1))
inside, ends = line.sample(128, "sobol", seed=0), {"x": [0.0, 1.0]}
x = np.linspace(0.0, 1.0, 1_001)[:, None]
u = np.sin(K * x)
figure, (axes,) = panels("|error| by weights of the terms")
for name, equation, rules in (
    ("as they are", bent, []),
    ("with LossBalancing", bent, [kpinn.callbacks.LossBalancing(every=10)]),
    ("divided by k^2", divided, []),
):
    keras.utils.set_random_seed(0)
    network = kpinn.networks.MLP(32, 3, embedding=kpinn.layers.Rescale(0.0, 1.0))
    pinn = kpinn.PINN(network, "x", "u", conditions=[equation, walls])
    pinn.compile(keras.optimizers.Adam(2e-3))
    pinn.fit(
        {equation.__name__: inside, "walls": ends},
        epochs=2 if quiet.SHORT else 30,
        steps_per_epoch=100,
        callbacks=rules,
        verbose=0,
    )
    found = pinn.predict_fields({"x": x})["u"]
    error = np.linalg.norm(found - u) / np.linalg.norm(u)
    print(f"relative L2 error {name}: {error:.1e}")
    axes.semilogy(x, np.abs(found - u), label=name)
axes.set(xlabel="x", ylim=(1e-5, None))
axes.legend()
keep(figure, "output/weights_of_terms.png")
