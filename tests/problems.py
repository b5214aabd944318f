"""Networks that are closed forms, small problems, and what else several tests train with."""

import keras
import numpy as np
from keras import ops

import kpinn


class Formula(keras.layers.Layer):
    """A network without training: `formula` maps the columns of the input to those of the output.

    One weight that multiplies by one lets it be trained all the same.
    """

    def __init__(self, formula, **kwargs):
        super().__init__(**kwargs)
        self.formula = formula
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, inputs):
        columns = [inputs[:, i : i + 1] for i in range(inputs.shape[1])]
        outputs = self.formula(*columns)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        return self.scale * ops.concatenate(outputs, axis=1)


@keras.saving.register_keras_serializable(package="tests")
class Heat(kpinn.PINN):
    """u_t = u_xx, u(0, x) = sin(pi x)."""

    coordinates = "t x"
    fields = "u"

    def __init__(self, network, conductivity=1.0, **kwargs):
        super().__init__(network, **kwargs)
        self.conductivity = conductivity

    @kpinn.condition
    def heat(self, u_t, u_xx):
        return u_t - self.conductivity * u_xx

    @kpinn.condition
    def start(self, x, u):
        return u - ops.sin(np.pi * x)


BOX = kpinn.domains.Box(t=(0, 1), x=(0, 1))


def heat_points(inside=64, start=16):
    return {"heat": BOX.sample(inside, seed=0), "start": BOX.face(t=0).sample(start, seed=1)}


def small_heat(optimizer="adam", jit_compile=False, **compile_arguments):
    """Without XLA, whose compile time would be most of a test."""
    pinn = Heat(kpinn.networks.MLP(units=8, depth=1))
    pinn.compile(optimizer, jit_compile=jit_compile, **compile_arguments)
    return pinn


class Down(kpinn.PINN):
    """Pushes a positive unknown below zero, which its bound keeps at 1e-6 times its first value."""

    coordinates, fields = "x", "u"

    def __init__(self, network, initial=0.1):
        super().__init__(network)
        self.unknown("a", initial=initial, positive=True)

    @kpinn.condition
    def push(self, u, a):
        return a + 1.0 + 0.0 * u


@keras.saving.register_keras_serializable(package="tests")
class Decay(kpinn.PINN):
    """u_t = -rate u; the rate is to be found from samples of u."""

    coordinates, fields = "t", "u"

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.rate = self.unknown("rate", 1.0, positive=True)

    @kpinn.condition
    def ode(self, u, u_t, rate):
        return u_t + rate * u

    @kpinn.condition
    def samples(self, u):
        return u


# The functions of a hard condition that can be saved: u(0, x) = wave(x), u(t, -1) = u(t, 1) = 0.


@keras.saving.register_keras_serializable(package="tests")
def wave(x):
    return -ops.sin(np.pi * x)


@keras.saving.register_keras_serializable(package="tests")
def inside(t, x):
    return t * (1 - x**2)
