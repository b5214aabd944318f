"""Dense layers whose kernel is a product."""

import keras
from keras import ops

from kpinn.options import flag, number, of_keras, positive_whole
from kpinn.options.configs import FromConfig


@keras.saving.register_keras_serializable(package="kpinn.layers")
class FactorizedDense(FromConfig, keras.layers.Layer):
    """A dense layer whose kernel is `factor * exp(log_scale)`, with a scale for each unit.

    With new weights it is the function that `keras.layers.Dense` with the same `kernel_initializer`
    is; what is different is how a step of Adam changes it: each unit has a step size of its own,
    which is learnt. With Gauss-Newton and quasi-Newton methods there is little to gain.

    Args:
        units: number of columns of the output.
        activation: as of `keras.layers.Dense`.
        use_bias: whether a bias is added.
        kernel_initializer: distribution of the product of both factors.
        bias_initializer: that of the bias.
        mean: mean of the initial `log_scale`, which is normally distributed.
        stddev: its standard deviation.
        **kwargs: of `keras.layers.Layer`.

    Attributes:
        factor: weight `(d, units)`.
        log_scale: weight `(units,)`.
        bias: weight `(units,)`, or `None`.

    Input shape: `(n, d)`.

    Output shape: `(n, units)`.

    Raises:
        ValueError: for units below one, or a negative standard deviation.

    Example:

        network = kpinn.networks.MLP(units=64, depth=4, dense=kpinn.layers.FactorizedDense)

    References:
        Wang, Wang, Seidman & Perdikaris, "Random weight factorization improves the training of
        continuous neural representations" (2022).
    """

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        mean=1.0,
        stddev=0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = positive_whole("units", units)
        initializer = keras.initializers.get
        self.activation = of_keras("activation", keras.activations.get, activation)
        self.use_bias = flag("use_bias", use_bias)
        self.kernel_initializer = of_keras("kernel_initializer", initializer, kernel_initializer)
        self.bias_initializer = of_keras("bias_initializer", initializer, bias_initializer)
        self.mean = number("mean", mean)
        self.stddev = number("stddev", stddev, "[0, inf)")

    def build(self, input_shape):
        """Draws the scales, then a kernel to be the product."""
        self.log_scale = self.add_weight(
            shape=(self.units,),
            initializer=keras.initializers.RandomNormal(self.mean, self.stddev),
            name="log_scale",
        )
        self.factor = self.add_weight(
            shape=(input_shape[-1], self.units), initializer=self._draw_factor, name="factor"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,), initializer=self.bias_initializer, name="bias"
            )

    def _draw_factor(self, shape, dtype=None):
        return self.kernel_initializer(shape, dtype) * ops.exp(-self.log_scale)

    @property
    def kernel(self):
        """The product, `(d, units)`."""
        return self.factor * ops.exp(self.log_scale)

    def call(self, inputs):
        """The output `(n, units)`."""
        outputs = ops.matmul(inputs, self.kernel)
        return self.activation(outputs if self.bias is None else ops.add(outputs, self.bias))

    def get_config(self):
        """The arguments."""
        return super().get_config() | {
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "mean": self.mean,
            "stddev": self.stddev,
        }
