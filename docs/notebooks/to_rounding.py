# %% [markdown]
# # To rounding in seconds
#
# Where an equation is linear in the unknown function and the solution smooth, a network of fixed
# random features needs no descent: its last layer is a problem of least squares, which
# Levenberg-Marquardt solves in one step. Here it is Helmholtz's equation in a disk, with a closed
# form beside it.

# %%
import os
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import jv

import kpinn

SHORT = "KPINN_SHORT" in os.environ  # a few steps, to see that all of it runs
kpinn.set_float64()
keras.utils.set_random_seed(0)

# %% [markdown]
# ## The problem
#
# laplacian(u) + 36 u = 0 for r < 1, with the values of a plane and a round wave on the circle.

# %%
K = 6.0


def exact(x, y):
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    return np.cos(K * (0.6 * x + 0.8 * y)) + jv(2, K * r) * np.cos(2 * angle)


def helmholtz(u, laplacian_u):
    return (laplacian_u + K**2 * u) / 50


def rim(u, given):
    return u - given


disk = kpinn.domains.Ball(x=0, y=0, radius=1)

# %% [markdown]
# ## Error against the number of features
#
# Each model is made, compiled and solved from nothing. The first call of `fit` chooses the scale
# of the features from residuals at points that are not trained on.


# %%
def solved(features):
    points = {"helmholtz": disk.sample(3 * features, "sobol", seed=0)}
    points["rim"] = disk.boundary().sample(features, seed=0)
    points["rim"]["given"] = exact(points["rim"]["x"], points["rim"]["y"])
    pinn = kpinn.PINN(kpinn.networks.RandomFeatures(features, seed=0), "x y", "u", [helmholtz, rim])
    pinn.compile(kpinn.optimizers.LevenbergMarquardt(), loss_weights={"rim": 10.0})
    pinn.fit(points, epochs=5, verbose=0)
    return pinn


new = disk.sample(4_000, seed=1)
known = exact(new["x"], new["y"])
counts, errors = [50, 100] if SHORT else [50, 100, 200, 300, 400, 600], []
for features in counts:
    begin = time.perf_counter()
    pinn = solved(features)
    seconds = time.perf_counter() - begin
    error = np.linalg.norm(pinn.predict_fields(new)["u"] - known) / np.linalg.norm(known)
    errors.append(error)
    print(f"{features:4d} features: relative L2 error {error:.1e}, {seconds:.0f} s")

# %%
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.semilogy(counts, errors, "o-")
axes.set(xlabel="features", ylabel="relative L2 error")
plt.show()

# %% [markdown]
# ## The wave
#
# Beside the closed form, and the difference.

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
kpinn.plotting.field(pinn, disk, "u", exact, axes=axes)
plt.show()
