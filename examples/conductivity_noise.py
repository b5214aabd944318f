"""The conductivity k(x) of a rod from 201 temperatures with 1 % noise.

(k u')' = -1 on [0, 1], k u' = 2 at x = 0; exact k = 1 + 0.4 sin(2 pi x).

Shows: an unknown field beside the solution in one network, a condition that keeps it smooth, and
two callbacks that find the weight of the data: `CrossValidation`, which does not know how large the
noise is, and `Discrepancy`, which does.
Kind: inverse, elliptic.
Expected: error of k by cross-validation below 4 %, error of k by the discrepancy principle below 7
%, about a minute on two CPU cores. Two weights that one may try give 5 % and 18 %.

Run: python examples/conductivity_noise.py [--short]
"""

import quiet
import keras
import numpy as np

import kpinn

kpinn.set_float64()


class Rod(kpinn.PINN):
    coordinates = "x"
    fields = "u k"

    @kpinn.field
    def flux(self, k, u_x):
        return k * u_x

    @kpinn.condition
    def balance(self, flux_x):
        return flux_x + 1.0

    @kpinn.condition
    def left(self, flux):
        return flux - 2.0

    @kpinn.condition
    def samples(self, u):
        return u

    @kpinn.condition
    def smooth(self, k_xx):
        return k_xx


def conductivity(x):
    return 1.0 + 0.4 * np.sin(2.0 * np.pi * x)


fine = np.linspace(0.0, 1.0, 20_001)
slope = (2.0 - fine) / conductivity(fine)
u = np.concatenate([[0.0], np.cumsum((slope[1:] + slope[:-1]) / 2) / 20_000])
x = np.linspace(0.0, 1.0, 201)
noise = 0.01 * u.max()
measured = np.interp(x, fine, u) + noise * np.random.default_rng(0).normal(size=x.size)

inside = {"x": np.linspace(0.0, 1.0, 101)}
points = {"balance": inside, "left": {"x": [0.0]}, "samples": {"x": x}, "smooth": inside}
data = points, {"samples": measured}


def trained(weights, *callbacks, name=""):
    """From the same start each time."""
    keras.utils.set_random_seed(0)
    pinn = Rod(kpinn.networks.MLP(units=15, depth=2, outputs=2))
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights=weights)
    pinn.fit(data, epochs=60 if quiet.SHORT else 400, verbose=0, callbacks=list(callbacks))
    found = pinn.predict_fields({"x": fine}, "k")["k"][:, 0] - conductivity(fine)
    error = np.linalg.norm(found) / np.linalg.norm(conductivity(fine))
    weight = float(pinn.loss_weights["samples"])
    print(f"weight of the data {weight:.3g}, error of k{name}: {error:.1%}")
    return pinn


if __name__ == "__main__":
    for weight in (1.0, 1e4):
        print(end="nothing smooth: ")
        trained({"samples": weight, "smooth": 0.0})
    smooth = {"smooth": 1e-7}
    discrepancy = kpinn.callbacks.Discrepancy("samples", noise)
    trained(smooth, discrepancy, name=" by the discrepancy principle")
    validation = kpinn.callbacks.CrossValidation("samples", every=20)
    pinn = trained(smooth, validation, name=" by cross-validation")
    line, path = kpinn.domains.Box(x=(0, 1)), "output/conductivity_noise.png"
    kpinn.plotting.field(pinn, line, "k", conductivity, path=path)
