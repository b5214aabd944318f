# %% [markdown]
# # Travel times between any two points with a physics-informed network
#
# **Author:** the authors of kpinn<br>
# **Date created:** 2026/11/29<br>
# **Last modified:** 2026/11/29<br>
# **Description:** The eikonal equation for all pairs of points, by a symmetric network.

# %% [markdown]
# ## Introduction
#
# The time T that a wave takes from a source s to a receiver r, in a medium with the velocity v,
# satisfies the eikonal equation
#
# |grad_r T(s, r)| = 1 / v(r), with T(s, s) = 0.
#
# Solvers on grids compute it for one source at a time. Here one network has it for every pair of
# points, and three properties hold by construction, before any training:
#
# * T = |r - s| tau(s, r) with a smooth tau, so that T is zero at the source, with its cone;
# * tau > 0, so that times are positive;
# * T(s, r) = T(r, s), since tau is the mean of a network over both orders.
#
# What is left is one equation for tau without any boundary condition. With d = r - s it is
#
# v(r)^2 (tau^2 + 2 tau d . grad tau + |d|^2 |grad tau|^2) = 1,
#
# polynomial in tau and its gradient: the singularity at the source is gone.

# %% [markdown]
# ## Setup

# %%
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import kpinn

SHORT = "KPINN_SHORT" in os.environ  # a few steps, to see that all of it runs
kpinn.set_float64()
keras.utils.set_random_seed(0)

# %% [markdown]
# ## The medium
#
# The velocity grows with the depth z. For a constant gradient rays are arcs of circles, and the
# travel time is known, which gives the check at the end.

# %%
SURFACE, GRADIENT = 1.0, 1.5


def velocity(z):
    return SURFACE + GRADIENT * z


def exact(a, b, x, z):
    """Slotnick (1959): arccosh(1 + g^2 |r - s|^2 / (2 v(s) v(r))) / g."""
    square = (x - a) ** 2 + (z - b) ** 2
    return np.arccosh(1 + GRADIENT**2 * square / (2 * velocity(b) * velocity(z))) / GRADIENT


# %% [markdown]
# ## A network that is symmetric in source and receiver
#
# Its columns are x, z (the receiver) and a, b (the source). The factor is the mean of the
# slownesses at both ends, which is symmetric too, so that the network has to learn a correction
# near one.


# %%
class Symmetric(keras.layers.Layer):
    """tau(s, r) = (1 / v(s) + 1 / v(r)) / 2 exp((N(s, r) + N(r, s)) / 2)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.network = kpinn.networks.MLP(
            units=20, depth=3, embedding=kpinn.layers.Rescale([0.0] * 4, [1.0] * 4)
        )

    def call(self, rows):
        receiver, source = rows[:, :2], rows[:, 2:]
        there = self.network(ops.concatenate([source, receiver], axis=1))
        back = self.network(ops.concatenate([receiver, source], axis=1))
        slowness = (1 / velocity(source[:, 1:]) + 1 / velocity(receiver[:, 1:])) / 2
        return slowness * ops.exp((there + back) / 2)


# %% [markdown]
# ## The equation
#
# The source is a parameter: a column of the points, with respect to which nothing is
# differentiated here.


# %%
def eikonal(a, b, x, z, tau, tau_x, tau_z):
    along, down = x - a, z - b
    square = tau**2 + 2 * tau * (along * tau_x + down * tau_z)
    square += (along**2 + down**2) * (tau_x**2 + tau_z**2)
    return velocity(z) ** 2 * square - 1


pinn = kpinn.PINN(Symmetric(), "x z", "tau", [eikonal], parameters="a b")

# %% [markdown]
# ## Training
#
# Pairs of points fill the unit square twice. Levenberg-Marquardt trains the 961 parameters.

# %%
sources = kpinn.domains.Box(a=(0, 1), b=(0, 1), parameters="a b")
pairs = sources * kpinn.domains.Box(x=(0, 1), z=(0, 1))
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
history = pinn.fit(
    pairs.sample(200 if SHORT else 1_500, "sobol", seed=0), epochs=5 if SHORT else 60, verbose=0
)
print(f"loss: {history.history['loss'][0]:.1e} to {history.history['loss'][-1]:.1e}")

# %% [markdown]
# ## Comparison with the exact travel times
#
# On pairs that were not trained on; reciprocity holds to rounding.


# %%
def times(a, b, x, z):
    points = {"a": a, "b": b, "x": x, "z": z}
    tau = pinn.predict_fields(points, "tau")["tau"]
    return np.hypot(x - a, z - b) * tau


new = pairs.sample(5_000, seed=1)
error = times(**new) - exact(**new)
swapped = times(new["x"], new["z"], new["a"], new["b"]) - times(**new)
print(f"relative L2 error: {np.linalg.norm(error) / np.linalg.norm(exact(**new)):.1e}")
print(f"largest error: {np.abs(error).max():.1e}")
print(f"largest difference of T(s, r) and T(r, s): {np.abs(swapped).max():.1e}")

# %% [markdown]
# Wave fronts from three sources, all by the same network. Dashed lines are the exact ones.

# %%
side = np.linspace(0, 1, 81)
x, z = np.meshgrid(side, side)
figure, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
for each, (a, b) in zip(axes, [(0.1, 0.0), (0.5, 0.5), (0.9, 0.9)], strict=True):
    columns = [values.reshape(-1, 1) for values in (a + 0 * x, b + 0 * x, x, z)]
    levels = np.arange(0.05, 1.5, 0.05)
    each.contour(x, z, times(*columns).reshape(x.shape), levels, cmap="viridis")
    each.contour(
        x, z, exact(*columns).reshape(x.shape), levels, colors="k", linestyles="--", linewidths=0.5
    )
    each.plot([a], [b], "r*", markersize=10)
    each.set(xlabel="x", title=f"source ({a}, {b})", aspect="equal")
axes[0].set_ylabel("depth z")
axes[0].invert_yaxis()
plt.show()

# %% [markdown]
# ## Conclusion
#
# One small network has the travel times between all pairs of points, with exact reciprocity and
# without a grid. For another medium only `velocity` changes, as long as no second ray arrives
# earlier than the first: the equation has one smooth solution then, which is the first arrival.
