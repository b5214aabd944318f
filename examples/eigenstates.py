"""The first states of the harmonic oscillator: -u'' / 2 + x^2 u / 2 = E u, E = 1/2, 3/2, 5/2.

Shows: conditions over a whole set of points, with the weights of a quadrature. Rayleigh's quotient
is least for the ground state; the next ones are orthogonal to those that are known.
Kind: eigenvalues, variational.
Expected: largest error of an energy below 2e-9, about 15 seconds on two CPU cores.

Run: python examples/eigenstates.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels
from keras import ops

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


class State(kpinn.PINN):
    coordinates, fields = "x", "u"

    @kpinn.condition(over="set")
    def energy(self, x, u, u_x, w):
        return ops.sum(w * (u_x**2 + x**2 * u**2)) / (2.0 * ops.sum(w * u**2))

    @kpinn.condition(over="set")
    def orthogonal(self, u, w, known):
        """To the columns of `known`, which have the norm 1."""
        return ops.sum(w * u * known, axis=0) / ops.sqrt(ops.sum(w * u**2))


points, w = kpinn.domains.Box(x=(-7, 7)).quadrature(100)
points["known"] = np.zeros_like(w)
errors = []
for number in range(1 if quiet.SHORT else 3):
    unit = kpinn.layers.Rescale(-7.0, 7.0)
    network = kpinn.layers.HardCondition(
        kpinn.networks.MLP(12, 2, embedding=unit), "x", distance=lambda x: ops.exp(-(x**2) / 4)
    )
    pinn = State(network)
    weights = {"orthogonal": 100.0}
    pinn.compile(
        kpinn.optimizers.SSBroyden(), loss={"energy": kpinn.losses.Mean()}, loss_weights=weights
    )
    pinn.fit(points | {"w": w}, epochs=50 if quiet.SHORT else 600, verbose=0)
    found = pinn.residuals(points | {"w": w})["energy"].item()
    errors.append(abs(found - number - 0.5))
    print(f"E{number} = {found:.9f}")
    u = pinn.predict_fields(points)["u"]
    points["known"] = np.hstack([points["known"], u / np.sqrt(np.sum(w * u**2))])
print(f"largest error of an energy: {max(errors):.0e}")

figure, (axes,) = panels("states of the harmonic oscillator, at their energies")
axes.plot(points["x"], points["x"] ** 2 / 2, "k:", label="potential")
for number, state in enumerate(points["known"].T[1:]):
    axes.plot(points["x"], number + 0.5 + state**2, label=f"u^2 of state {number}")
axes.set(xlabel="x", ylim=(0, 4), xlim=(-5, 5))
axes.legend()
keep(figure, "output/eigenstates.png")
