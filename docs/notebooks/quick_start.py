# %% [markdown]
# # Quick start
#
# Burgers' equation, u_t + u u_x = nu u_xx on [-1, 1], u(0, x) = -sin(pi x), zero at
# both ends. A `kpinn.PINN` is a Keras model whose outputs are the residuals of its conditions:
# points go in, and `compile` and `fit` are those of Keras.

# %%
import math
import os
import tempfile

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import ops

import kpinn

SHORT = "KPINN_SHORT" in os.environ  # a few steps, to see that all of it runs
kpinn.set_float64()
keras.utils.set_random_seed(0)
tf.get_logger().setLevel("ERROR")
VISCOSITY = 0.1 / math.pi

# %% [markdown]
# ## The equation
#
# The names of the arguments say what a condition gets: `u_xx` is the second derivative of the
# field `u` with respect to the coordinate `x`, exact, in one propagation through the network.


# %%
class Burgers(kpinn.PINN):
    coordinates = "t x"
    fields = "u"

    @kpinn.condition
    def momentum(self, u, u_t, u_x, u_xx):
        return u_t + u * u_x - VISCOSITY * u_xx


# %% [markdown]
# ## The network
#
# What is known is built in: the period and the symmetry of the solution by features of x, start
# and ends by `HardCondition`, so that u = -sin(pi x) + t sin(pi x) network. One residual is left
# to train.

# %%
network = kpinn.networks.MLP(
    units=20,
    depth=3,
    embedding=[
        kpinn.layers.Rescale([0, -1], [1, 1]),
        kpinn.layers.PeriodicEmbedding([None, 2.0], even=True),
    ],
)
network = kpinn.layers.HardCondition(
    network,
    "t x",
    value=lambda x: -ops.sin(math.pi * x),
    distance=lambda t, x: t * ops.sin(math.pi * x),
)
pinn = Burgers(network)
pinn.describe()

# %% [markdown]
# ## Points and training
#
# Points are plain arrays, drawn from a domain. Levenberg-Marquardt takes some hundred parameters
# to high accuracy; points gather where the residual is large. An epoch is a step.

# %%
box = kpinn.domains.Box(t=(0, 1), x=(-1, 1))
half = kpinn.domains.Box(t=(0, 1), x=(0, 1))  # the other half follows by symmetry
dense = kpinn.callbacks.ResidualSampling(
    lambda seed: half.sample(10_000, seed=seed), every=10, constant=0.2
)
pinn.compile(kpinn.optimizers.LevenbergMarquardt())
history = pinn.fit(
    half.sample(200 if SHORT else 1_000), epochs=5 if SHORT else 100, verbose=0, callbacks=[dense]
)
print(f"loss: {history.history['loss'][0]:.1e} to {history.history['loss'][-1]:.1e}")

# %% [markdown]
# ## What was found
#
# The transformation of Cole and Hopf gives the exact solution as two integrals, here by the nodes
# of Gauss and Hermite.


# %%
def cole_hopf(t, x):
    nodes, weights = np.polynomial.hermite.hermgauss(100)
    y = np.reshape(x, (-1, 1)) - np.sqrt(4 * VISCOSITY * np.reshape(t, (-1, 1))) * nodes
    weights = weights * np.exp(-np.cos(math.pi * y) / (2 * math.pi * VISCOSITY))
    return -np.sum(np.sin(math.pi * y) * weights, axis=1) / np.sum(weights, axis=1)


figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
kpinn.plotting.field(pinn, box, "u", cole_hopf, axes=axes)
plt.show()

# %% [markdown]
# Any derivative can be asked for by name: here the slope of the shock.

# %%
shock = pinn.predict_fields({"t": [0.25, 0.5, 1.0], "x": [0.0, 0.0, 0.0]}, "u, u_x")
print("u at x = 0:  ", np.round(shock["u"][:, 0], 6))
print("u_x at x = 0:", np.round(shock["u_x"][:, 0], 2))

# %% [markdown]
# ## Export
#
# A SavedModel serves u, derivatives and residuals by TensorFlow alone, without kpinn and without
# Keras.

# %%
folder = tempfile.mkdtemp()
pinn.export(folder, derivatives="u_x")
served = tf.saved_model.load(folder).signatures["derivatives"]
one = tf.constant([[0.5]], tf.float64)
print({name: value.numpy().round(4).tolist() for name, value in served(t=one, x=0 * one).items()})
