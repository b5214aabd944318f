"""Products of functions of one column each."""

import math

import keras
from keras import ops

from kpinn.layers.initializers import another
from kpinn.options import of_keras, positive_whole
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn.layers")
class Separable(FromConfig, keras.layers.Layer):
    """Products of functions of one column each.

    Each column has a perceptron of its own, from one input to `rank` outputs, and output `r` of the
    layer is the product of their outputs `r`. A derivative along a coordinate takes channels of the
    perceptron of that column alone, so that the Laplacian in `d` coordinates takes `3 d` small
    passes, of which each has three channels, in place of `d + 2` large ones.

    New perceptrons return `1 + g / sqrt(d)`, where `g` has a mean square of at most about one for
    inputs between -1 and 1. So the mean square of a product is at most about `(1 + 1 / d)^d`, which
    is below 2.8, and its parts that change with one column have the same size for any `d`; products
    of `d` functions with mean zero would vanish nearly everywhere.

    Args:
        units: units of each hidden layer of a perceptron.
        depth: number of hidden layers of a perceptron.
        rank: number of products.
        activation: activation of the hidden layers; smooth, for higher derivatives.
        kernel_initializer: of all kernels; those of the last layers are divided by `sqrt(d)`.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`.

    Output shape: `(n, rank)`.

    Raises:
        ValueError: for sizes below one.

    Example:

        features = kpinn.layers.Separable(units=20, depth=2, rank=10)
        network = keras.Sequential([keras.Input((5,)), features, keras.layers.Dense(1)])

    References:
        Cho, Nam, Yang, Yun, Hong & Park, "Separable physics-informed neural networks" (2023).
    """

    def __init__(
        self,
        units=20,
        depth=2,
        rank=10,
        activation="tanh",
        kernel_initializer="glorot_normal",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = positive_whole("units", units)
        self.depth = positive_whole("depth", depth)
        self.rank = positive_whole("rank", rank)
        self.activation = of_keras("activation", keras.activations.get, activation)
        get = keras.initializers.get
        self.kernel_initializer = of_keras("kernel_initializer", get, kernel_initializer)

    def build(self, input_shape):
        """Makes the perceptrons."""
        if len(input_shape) != 2:
            raise ValueError(
                f"layer {self.name!r} got an input of the shape {tuple(input_shape)}: expected "
                "points (n, d)."
            )
        columns = input_shape[-1]
        self.perceptrons = [self._perceptron(i, columns) for i in range(columns)]

    def _perceptron(self, column, columns):
        """The kernels and biases for one column, from the first layer to the last."""
        sizes, found = [1, *[self.units] * self.depth, self.rank], []
        for k, shape in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            is_last, name = k == self.depth, f"{column}_{k}"
            draw = self._draw_by(math.sqrt(columns) if is_last else 1.0)
            kernel = self.add_weight(shape=shape, initializer=draw, name=f"kernel_{name}")
            start = "ones" if is_last else "zeros"
            bias = self.add_weight(shape=shape[1:], initializer=start, name=f"bias_{name}")
            found.append((kernel, bias))
        return found

    def _draw_by(self, divisor):
        """An initializer with draws of its own, which divides."""
        initializer = another(self.kernel_initializer)
        return lambda shape, dtype=None: initializer(shape, dtype) / divisor

    def call(self, inputs):
        """The products `(n, rank)`, by halves: few derivatives are carried through most of them."""
        factors = [self._factor(inputs, i) for i in range(len(self.perceptrons))]
        while len(factors) > 1:
            pairs = zip(factors[::2], factors[1::2], strict=False)
            factors = [a * b for a, b in pairs] + factors[len(factors) // 2 * 2 :]
        return factors[0]

    def _factor(self, inputs, column):
        *hidden, (kernel, bias) = self.perceptrons[column]
        x = inputs[:, column : column + 1]
        for weights, shift in hidden:
            x = self.activation(ops.add(ops.matmul(x, weights), shift))
        return ops.add(ops.matmul(x, kernel), bias)

    def compute_output_shape(self, input_shape):
        """`(n, rank)`."""
        return (*input_shape[:-1], self.rank)

    def get_config(self):
        """The arguments."""
        return super().get_config() | {
            "units": self.units,
            "depth": self.depth,
            "rank": self.rank,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
