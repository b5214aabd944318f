# %% [markdown]
# # An inverse problem with its uncertainty
#
# Friction d and frequency w of an oscillator, u'' + 2 d u' + w^2 u = 0, from 60 samples with
# noise. The unknowns are variables of the model, and `kpinn.covariance` says how far to trust
# them.

# %%
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
import scipy.optimize

import kpinn

SHORT = "KPINN_SHORT" in os.environ  # a few steps, to see that all of it runs
kpinn.set_float64()
keras.utils.set_random_seed(0)

# %% [markdown]
# ## Data
#
# From exp(-d t) cos(3 t) with d = 0.4 and the noise 0.05.

# %%
t = np.linspace(0.0, 3.0, 60)
truth = {"d": 0.4, "w": (3.0**2 + 0.4**2) ** 0.5}
u = np.exp(-0.4 * t) * np.cos(3.0 * t)
measured = u + 0.05 * np.random.default_rng(1).normal(size=60)

# %% [markdown]
# ## The model
#
# An unknown is declared once, and is then a name like any other. Two conditions share the
# network: the equation, and the samples, whose targets come with the points.


# %%
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


pinn = Oscillator(kpinn.networks.MLP(units=12, depth=1))
pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"samples": 10.0})
points = {"motion": {"t": np.linspace(0.0, 3.0, 120)}, "samples": {"t": t}}
data = points, {"samples": measured}
history = pinn.fit(data, epochs=20 if SHORT else 200, verbose=0)
{name: float(value) for name, value in pinn.unknowns.items()}

# %% [markdown]
# The unknowns are in the history, as each condition is.

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
kpinn.plotting.history(history, unknowns=["d", "w"], axes=axes)
plt.show()

# %% [markdown]
# ## Standard errors
#
# `noise="samples"` lets the residuals of the samples tell the noise. What is printed are the
# unknowns with their standard errors, and the noise.

# %%
found = kpinn.covariance(pinn, data, noise="samples")
print(found)

# %% [markdown]
# A fit of the closed form has the same data and no network: its standard errors are the measure.


# %%
def closed_form(t, d, w, cosine, sine):
    angle = np.sqrt(w**2 - d**2) * t
    return np.exp(-d * t) * (cosine * np.cos(angle) + sine * np.sin(angle))


best, matrix = scipy.optimize.curve_fit(closed_form, t, measured, p0=[0.4, 3.0, 1.0, 0.0])
for index, (name, value) in enumerate(truth.items()):
    error, other = found.standard_errors[name], np.sqrt(matrix[index, index])
    off = abs(float(pinn.unknowns[name]) - value)
    print(f"{name}: off by {off:.4f}; standard error {error:.4f}, of the closed form {other:.4f}")

# %% [markdown]
# ## The band around the solution

# %%
mean, band = pinn.predict_fields({"t": t})["u"][:, 0], found.fields({"t": t})["u"][:, 0]
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.fill_between(t, mean - 2 * band, mean + 2 * band, alpha=0.3, label="two standard errors")
axes.plot(t, mean, label="u by the network")
axes.plot(t, u, "k--", linewidth=1, label="exact")
axes.plot(t, measured, ".", label="samples")
axes.set_xlabel("t")
axes.legend()
plt.show()
