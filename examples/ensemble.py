"""How far to trust a forecast: an ensemble for u' = k u (1 - u) from 20 samples with noise.

Samples of the closed form on [0, 2] with k = 1.5, u(0) = 0.1 and noise 0.02; forecast on [2, 6].

Shows: error bars by an ensemble. Each member has another start of its network and other noise; all
are trained in one PINN, which is compiled once. The spread of the unknown is compared with its
standard error by `kpinn.covariance`, which needs one training.
Kind: inverse, ODE.
Expected: error of the forecast at t = 3 below 0.02, about half a minute on two CPU cores. The rate
has the spread 0.06 beside 0.045 by the covariance: that of 12 members is known to a fifth, and has
the networks' part too.

Run: python examples/ensemble.py [--short]
"""

import quiet
import keras
import numpy as np
from exact import keep, panels

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)
NOISE, MEMBERS, STEPS = 0.02, 2 if quiet.SHORT else 12, 20 if quiet.SHORT else 50


class Growth(kpinn.PINN):
    coordinates, fields = "t", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("k", initial=1.0, positive=True)

    @kpinn.condition
    def growth(self, u, u_t, k):
        return u_t - k * u * (1.0 - u)

    @kpinn.condition
    def samples(self, u):
        return u


def network():
    return kpinn.networks.MLP(10, 2, embedding=kpinn.layers.Rescale(0.0, 6.0))


def exact(t):
    return 1.0 / (1.0 + 9.0 * np.exp(-1.5 * t))


random = np.random.default_rng(0)
t, later = np.linspace(0.0, 2.0, 20), np.linspace(2.0, 6.0, 9)
points = {"growth": {"t": np.linspace(0.0, 6.0, 120)}, "samples": {"t": t}}
measured = exact(t) + NOISE * random.normal(size=20)

pinn = Growth(network())
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"growth": 100.0})
pinn.fit((points, {"samples": measured}), epochs=STEPS, verbose=0)
k, mean = float(pinn.unknowns["k"]), pinn.predict_fields({"t": t})["u"][:, 0]
found = kpinn.covariance(pinn, (points, {"samples": measured}), noise={"samples": NOISE})

rates, forecasts = [], []
for _ in range(MEMBERS):
    pinn.set_weights(Growth(network()).get_weights())
    drawn = mean + NOISE * random.normal(size=20)  # as the data might have been
    pinn.fit((points, {"samples": drawn}), epochs=STEPS, verbose=0)
    rates.append(float(pinn.unknowns["k"]))
    forecasts.append(pinn.predict_fields({"t": later})["u"][:, 0])

spread = np.std(rates, ddof=1)
print(f"k = {k:.3f} +- {spread:.3f}; by the covariance +- {found.standard_errors['k']:.3f}")
band = np.std(forecasts, axis=0, ddof=1)
table = np.stack([later, np.mean(forecasts, axis=0), band, exact(later)], axis=1)
for time, value, error, known in table:
    print(f"u({time:.1f}) = {value:.3f} +- {error:.3f}, exact {known:.3f}")
print(f"error of the forecast at t = 3: {abs(table[2, 1] - table[2, 3]):.3f}")

figure, (axes,) = panels("growth: seen until t = 2, forecast after it")
axes.plot(t, measured, ".", label="samples")
axes.errorbar(later, table[:, 1], 2 * band, fmt="o", capsize=3, label="forecast, two spreads")
whole = np.linspace(0.0, 6.0, 201)
axes.plot(whole, exact(whole), "k--", linewidth=1, label="exact")
axes.set(xlabel="t", ylabel="u")
axes.legend()
keep(figure, "output/ensemble.png")
