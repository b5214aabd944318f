"""Friction and stiffness of an oscillator from noisy samples, with their standard errors.

u'' + 2 d u' + w^2 u = 0; 60 samples of exp(-d t) cos(3 t) on [0, 3] with noise 0.05, d = 0.4.

Shows: `kpinn.covariance` after a training by Levenberg-Marquardt, standard errors of the unknowns
and of the solution, an estimate of the noise, and all this beside a fit of the closed form, which
has the same data and no network.
Kind: inverse, ODE.
Expected: largest deviation of a standard error below 2 %, about 10 seconds on two CPU cores. Both
unknowns are within one standard error of the truth.

Run: python examples/inverse_standard_errors.py [--short]
"""

import quiet
import keras
import numpy as np
import scipy.optimize
from exact import keep, panels

import kpinn

kpinn.set_float64()
keras.utils.set_random_seed(0)


class Oscillator(kpinn.PINN):
    coordinates = "t"
    fields = "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.unknown("d", initial=0.1, lower=0.0, upper=2.0)
        self.unknown("w", initial=2.5, positive=True)

    @kpinn.condition
    def motion(self, u, u_t, u_tt, d, w):
        return u_tt + 2.0 * d * u_t + w**2 * u

    @kpinn.condition
    def samples(self, u):
        return u


t = np.linspace(0.0, 3.0, 60)
truth = {"d": 0.4, "w": (3.0**2 + 0.4**2) ** 0.5}
u = np.exp(-0.4 * t) * np.cos(3.0 * t)
measured = u + 0.05 * np.random.default_rng(1).normal(size=60)

pinn = Oscillator(kpinn.networks.MLP(units=12, depth=1))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"samples": 10.0})
points = {"motion": {"t": np.linspace(0.0, 3.0, 120)}, "samples": {"t": t}}
pinn.fit((points, {"samples": measured}), epochs=100 if quiet.SHORT else 300, verbose=0)
found = kpinn.covariance(pinn, (points, {"samples": measured}), noise="samples")
print(found)


def closed_form(t, d, w, cosine, sine):
    angle = np.sqrt(w**2 - d**2) * t
    return np.exp(-d * t) * (cosine * np.cos(angle) + sine * np.sin(angle))


best, matrix = scipy.optimize.curve_fit(closed_form, t, measured, p0=[0.4, 3.0, 1.0, 0.0])
deviations = []
for i, (name, exact) in enumerate(truth.items()):
    value, error = float(pinn.unknowns[name]), found.standard_errors[name]
    ratio = error / np.sqrt(matrix[i, i])
    deviations.append(abs(ratio - 1.0))
    print(
        f"{name}: error {value - exact:+.4f}, {abs(value - exact) / error:.1f} standard errors; "
        f"closed form {best[i]:.4f}; ratio of the standard errors {ratio:.3f}"
    )
print(f"largest deviation of a standard error: {max(deviations):.2%}")
band, mean = found.fields({"t": t})["u"][:, 0], pinn.predict_fields({"t": t})["u"][:, 0]
print(
    f"u is within two standard errors at {np.mean(np.abs(mean - u) < 2 * band):.0%} of the points"
)

figure, (axes,) = panels("an oscillator from noisy samples")
axes.fill_between(t, mean - 2 * band, mean + 2 * band, alpha=0.3, label="two standard errors")
axes.plot(t, mean, label="u by the network")
axes.plot(t, u, "k--", linewidth=1, label="exact")
axes.plot(t, measured, ".", label="samples")
axes.set(xlabel="t")
axes.legend()
keep(figure, "output/inverse_standard_errors.png")
