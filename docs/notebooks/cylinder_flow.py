# %% [markdown]
# # Flow past a cylinder
#
# Steady flow in a channel at Re = 20, the benchmark 2D-1 of the DFG (Schaefer & Turek 1996), in
# about two minutes on two CPU cores.

# %%
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import kpinn
from kpinn.domains import Ball, Box, concatenate

SHORT = "KPINN_SHORT" in os.environ  # a few steps, to see that all of it runs
kpinn.set_float64()
keras.utils.set_random_seed(0)

# %% [markdown]
# ## The channel
#
# A domain is made of shapes, and its parts have names. Points on boundaries come with normals.

# %%
flow = Box(x=(0, 2.2), y=(0, 0.41)) - Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
flow = flow.with_parts(inlet=flow.face(x=0), outlet=flow.face(x=2.2))
near = flow & Ball(x=0.2, y=0.2, radius=0.15)
figure, axes = plt.subplots(figsize=(11, 3), layout="constrained")
flow.plot(axes=axes)
plt.show()

# %% [markdown]
# ## The equations
#
# The velocity is one field `v[2]`. Momentum and continuity are three columns of one residual; at
# the outlet the traction is zero.


# %%
def momentum(v, jac_v, grad_p, laplacian_v, div_v):
    along = ops.sum(jac_v * v[:, None, :], axis=2)
    return 0.1 * ops.concatenate([along + grad_p - 0.005 * laplacian_v, div_v], axis=1)


def outlet(n, p, v_n):
    return 0.005 * v_n - p * n


def profile(y):
    return ops.concatenate([6 * y * (0.41 - y) / 0.41**2, 0 * y], axis=1)


# %% [markdown]
# ## The network
#
# It sees the place and its mirror image in the cylinder, and `HardBoundary` builds the velocities
# on inlet, walls and cylinder into it.


# %%
@keras.saving.register_keras_serializable()
def around(columns):
    x, y = columns[:, :1] - 0.2, columns[:, 1:] - 0.2
    square = 400 * (x**2 + y**2)
    seen = [x - 0.9, 5 * y, 20 * x / square, 20 * y / square, ops.log(square) / 4]
    return ops.concatenate(seen, axis=1)


network = kpinn.networks.MLP(units=20, depth=4, outputs=3, embedding=keras.layers.Lambda(around))
hard = {"inlet": {"v": profile}, "y": {"v": profile}, "cylinder": {"v": 0.0}}
network = kpinn.layers.HardBoundary(network, flow, hard, "x y", "v[2] p")
pinn = kpinn.PINN(network, "x y", "v[2] p", [momentum, outlet])

# %% [markdown]
# ## Training
#
# Half of the points are near the cylinder, and all are drawn anew from time to time.

# %%
count = 60 if SHORT else 1_200


def points(seed):
    inside = concatenate(flow.sample(count, seed=seed), near.sample(count, seed=seed))
    return {"momentum": inside, "outlet": flow.boundary("outlet").sample(100, seed=seed)}


pinn.compile(kpinn.optimizers.LevenbergMarquardt())
fresh = kpinn.callbacks.Resample(points, every=2)
history = pinn.fit(points(0), epochs=2 if SHORT else 150, verbose=0, callbacks=[fresh])
print(f"loss: {history.history['loss'][0]:.1e} to {history.history['loss'][-1]:.1e}")

# %% [markdown]
# ## Drag and lift
#
# Integrals over the surface, by a quadrature of it. Published are 5.5795 and 0.0106.

# %%
body, weights = flow.boundary("cylinder").quadrature(400)
f = pinn.predict_fields(body, "p, v_n")
drag, lift = 20 * np.sum(weights * (f["p"] * body["n"] - 0.005 * f["v_n"]), axis=0)
print(f"drag {drag:.4f}, {abs(drag / 5.57953523 - 1):.1%} from the published one; lift {lift:.4f}")

# %%
figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
kpinn.plotting.field(pinn, near, "p", axes=axes)
plt.show()
