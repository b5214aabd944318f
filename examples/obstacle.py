"""A string over an obstacle: least integral of u'^2 / 2 with u >= 1/2 - x^2, u(-1) = u(1) = 0.

Shows: an inequality as a constraint (`kpinn.losses.Inequality`, `AugmentedLagrangian`) beside a
functional. The string is straight from its ends to a = 1 - sqrt(1/2), where it touches; the
multiplier is the force of the obstacle, -u'' = 2 for |x| < a and zero elsewhere.
Kind: variational.
Expected: largest error of u below 2e-3, about 20 seconds. Forces are right to a few per cent.

Run: python examples/obstacle.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


def energy(u_x):
    return u_x**2 / 2


def above(x, u):
    return 0.5 - x**2 - u


network = kpinn.networks.MLP(units=20, depth=2)
network = kpinn.layers.HardCondition(network, "x", distance=lambda x: 1 - x**2)
pinn = kpinn.PINN(network, "x", "u", [energy, above])
losses = {"energy": kpinn.losses.Mean(), "above": kpinn.losses.Inequality()}
decay = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=200 if quiet.SHORT else 10_000)
pinn.compile(keras.optimizers.Adam(decay), loss=losses)
line = kpinn.domains.Box(x=(-1, 1))
grid = line.sample(401, method="grid")
points = {"energy": line.sample(1_001, method="grid"), "above": grid}
contact = kpinn.callbacks.AugmentedLagrangian("above", every=5, penalty=20.0)
epochs = 10 if quiet.SHORT else 500
pinn.fit(points, epochs=epochs, steps_per_epoch=20, verbose=0, callbacks=[contact])

x, a = grid["x"][:, 0], 1 - np.sqrt(0.5)
exact = np.where(np.abs(x) < a, 0.5 - x**2, 2 * a * (1 - np.abs(x)))
u = pinn.predict_fields(grid)["u"][:, 0]
force = contact.multipliers["above"][:, 0]
print(f"largest error of u: {np.abs(u - exact).max():.1e}")
at_zero, beside = np.interp([0.0, 0.6], x, force)
print(f"force at 0: {at_zero:.2f} (exact 2), at 0.6: {beside:.2f} (exact 0)")
print(f"total force: {force.mean() * 2:.4f}, exact {4 * a:.4f}")

figure, (left, right) = panels("a string over an obstacle", "its force")
left.fill_between(x, 0.5 - x**2, -0.5, color="0.85", label="obstacle")
left.plot(x, u, label="string")
left.set(xlabel="x", ylim=(-0.05, 0.6))
left.legend()
right.plot(x, force, label="multiplier")
right.plot(x, np.where(np.abs(x) < a, 2.0, 0.0), "k--", linewidth=1, label="exact force")
right.set_xlabel("x")
right.legend()
keep(figure, "output/obstacle.png")
