"""Networks and layers that are proposed for PINNs, each as its paper has it, in plain Keras.

They are what `networks.py` compares with those of kpinn. All of them go through the Taylor
coefficients of `kpinn.derivatives`, so that who needs one can take it from here.
"""

import itertools
import math

import keras
import numpy as np
from keras import ops

from kpinn.layers import FactorizedDense, FourierFeatures
from kpinn.networks import MLP, SIREN

DEPTH, BLOCKS = 3, 2  # hidden layers, blocks of three of them
COLUMNS, FREQUENCY = 2, 1.0  # of the input, typical cycles per unit of length
SPLINES, DEGREE = 8, 4  # basis functions of a spline, degree of Chebyshev polynomials

# Layers --------------------------------------------------------------------------------------


class NormalizedDense(keras.layers.Dense):
    """Weight normalisation, Salimans & Kingma (2016): a length for each column of the kernel."""

    def build(self, input_shape):
        super().build(input_shape)
        self.length = self.add_weight(shape=(self.units,), initializer="ones", name="length")
        self.length.assign(ops.norm(self.kernel, axis=0))

    def call(self, inputs):
        kernel = self.kernel * (self.length / ops.norm(self.kernel, axis=0))
        return self.activation(ops.matmul(inputs, kernel) + self.bias)


class Slope(keras.layers.Layer):
    """tanh(10 a x), a trained for each unit: Jagtap, Kawaguchi & Karniadakis (2020)."""

    def build(self, input_shape):
        shape, start = input_shape[-1:], keras.initializers.Constant(0.1)
        self.slope = self.add_weight(shape=shape, initializer=start, name="slope")

    def call(self, inputs):
        return ops.tanh(10.0 * self.slope * inputs)


def morlet(x):
    """The wavelet of wavelet networks, a cosine in a Gaussian."""
    return ops.cos(1.75 * x) * ops.exp(-(x**2) / 2)


class Gabor(keras.layers.Layer):
    """Gabor filters that are multiplied, Fathony, Sahu, Willmott & Kolter (2021), section 3.3."""

    def __init__(self, units, depth, scale):
        super().__init__()
        self.units, self.depth, self.scale = units, depth, scale
        self.dense = [keras.layers.Dense(units) for _ in range(depth - 1)]

    def build(self, input_shape):
        count, self.filters = input_shape[-1], []
        rng = np.random.default_rng(keras.random.SeedGenerator().state.numpy()[0])
        for _ in range(self.depth):
            width = rng.gamma(6.0 / self.depth, size=self.units)
            frequencies = rng.normal(size=(count, self.units)) / math.sqrt(self.depth)
            values = {
                "centre": rng.uniform(-1, 1, (count, self.units)),
                "width": np.sqrt(width),
                "frequency": 2 * math.pi * self.scale * frequencies,
                "phase": rng.uniform(-math.pi, math.pi, self.units),
            }
            self.filters.append({name: self._weight(name, v) for name, v in values.items()})
        for dense in self.dense:
            dense.build((None, self.units))

    def _weight(self, name, values):
        weight = self.add_weight(shape=values.shape, name=name)
        weight.assign(values)
        return weight

    def _filtered(self, x, centre, width, frequency, phase):
        squares = ops.sum(x**2, axis=1, keepdims=True) - 2 * ops.matmul(x, centre)
        distance = squares + ops.sum(centre**2, axis=0)
        return ops.exp(-(width**2) * distance / 2) * ops.sin(ops.matmul(x, frequency) + phase)

    def call(self, inputs):
        found = self._filtered(inputs, **self.filters[0])
        for dense, weights in zip(self.dense, self.filters[1:], strict=True):
            found = dense(found) * self._filtered(inputs, **weights)
        return found


class Pirate(keras.layers.Layer):
    """Residual blocks, the identity at first: Wang, Li, Chen & Perdikaris (2024)."""

    def __init__(self, units, blocks):
        super().__init__()
        self.encoders, self.hidden = (
            [
                keras.layers.Dense(units, "tanh", kernel_initializer="glorot_normal")
                for _ in range(n)
            ]
            for n in (2, 3 * blocks)
        )

    def build(self, input_shape):
        for layer in (*self.encoders, *self.hidden):
            layer.build(input_shape)
        count = len(self.hidden) // 3
        self.share = [self.add_weight(shape=(1,), initializer="zeros") for _ in range(count)]

    def call(self, inputs):
        u, v = (encoder(inputs) for encoder in self.encoders)
        for i, share in enumerate(self.share):
            first, second, third = self.hidden[3 * i : 3 * i + 3]
            found = first(inputs) * (u - v) + v
            found = third(second(found) * (u - v) + v)
            inputs = share * found + (1 - share) * inputs
        return inputs


class Kolmogorov(keras.layers.Layer):
    """A sum of functions of one column each, each a sum of functions of a basis.

    Cubic B-splines on a grid of [-1, 1] and a silu, Liu et al. (2024), or Chebyshev polynomials,
    Shukla et al. (2024); columns are brought to that interval by tanh.
    """

    def __init__(self, units, basis, squash=True):
        super().__init__()
        self.units, self.basis, self.squash = units, basis, squash

    def build(self, input_shape):
        columns = input_shape[-1]
        count = self.basis(ops.zeros((1, columns))).shape[1]
        spread = keras.initializers.RandomNormal(stddev=1 / math.sqrt(count))
        self.kernel = self.add_weight(shape=(count, self.units), initializer=spread)

    def call(self, inputs):
        return ops.matmul(self.basis(ops.tanh(inputs) if self.squash else inputs), self.kernel)


def splines(x):
    """Cubic B-splines with the knots of a grid, and silu, `(n, (SPLINES + 1) d)`."""
    step = 2 / (SPLINES - 3)
    centres = -1 - step + step * np.arange(SPLINES)
    far = ops.abs((x[:, :, None] - ops.convert_to_tensor(centres, x.dtype)) / step)
    found = (ops.relu(2 - far) ** 3 - 4 * ops.relu(1 - far) ** 3) / 6
    found = ops.reshape(found, (-1, SPLINES * x.shape[1]))
    return ops.concatenate([found, ops.silu(x)], axis=1)


def chebyshev(x):
    """Chebyshev polynomials `(n, (DEGREE + 1) d)`."""
    found = [ops.ones_like(x), x]
    for _ in range(DEGREE - 1):
        found.append(2 * x * found[-1] - found[-2])
    return ops.concatenate(found, axis=1)


# Candidates: functions of the number of units and a list of layers in front ---------------------


def sequential(in_front, hidden):
    """Layers in front, hidden ones and a linear last one."""
    last = keras.layers.Dense(1, kernel_initializer="glorot_normal")
    return keras.Sequential([*in_front, *hidden, last])


def mlp(make=MLP, **kwargs):
    """A network of kpinn."""
    return lambda units, in_front: make(units, DEPTH, embedding=in_front, **kwargs)


def sloped(units, in_front):
    pairs = [(keras.layers.Dense(units), Slope()) for _ in range(DEPTH)]
    return sequential(in_front, itertools.chain(*pairs))


def siren(units, in_front):
    first = 5.0 * FREQUENCY * COLUMNS
    return SIREN(units, DEPTH, first_frequency=first, embedding=in_front)


def gabor(units, in_front):
    return sequential(in_front, [Gabor(units, DEPTH, FREQUENCY)])


def kolmogorov(basis):
    """Two hidden layers of functions of one column, and a last one."""

    def network(units, in_front):
        hidden = [Kolmogorov(units, basis, squash=False), Kolmogorov(units, basis)]
        return keras.Sequential([*in_front, *hidden, Kolmogorov(1, basis)])

    return network


def with_features(hidden, scale):
    """Fourier features in front of hidden layers."""
    return lambda units, in_front: sequential(
        [*in_front, FourierFeatures(units, scale)], hidden(units)
    )


def hidden_of_mlp(units):
    return MLP(units, DEPTH).layers[:-1]


def blocks(units):
    return [Pirate(units, BLOCKS)]


CANDIDATES = {
    "`MLP`": mlp(),
    "`MLP`, `FactorizedDense`": mlp(dense=FactorizedDense),
    "weight normalisation": mlp(dense=NormalizedDense),
    "a slope for each unit": sloped,
    "Morlet wavelets": mlp(activation=morlet),
    "`SIREN`": siren,
    "Gabor filters": gabor,
    "B-splines (KAN)": kolmogorov(splines),
    "Chebyshev polynomials (KAN)": kolmogorov(chebyshev),
    "`FourierFeatures(scale=1.0)`, `MLP`": with_features(hidden_of_mlp, 1.0),
    "`FourierFeatures(scale=0.3)`, `MLP`": with_features(hidden_of_mlp, 0.3),
    "`FourierFeatures(scale=1.0)`, PirateNet": with_features(blocks, 1.0),
    "`FourierFeatures(scale=0.3)`, PirateNet": with_features(blocks, 0.3),
}
