"""Random functions of the coordinates that are not trained."""

import math

import keras
import numpy as np
from keras import ops

from kpinn.options import number, of_keras, optional, positive_whole, whole
from kpinn.options.arrays import one_or_several, real_array
from kpinn.options.configs import FromConfig

WAVES = {"sin": ops.sin, "cos": ops.cos}
STEEPNESS = 8.0  # of the edge of a window, over its width


@keras.saving.register_keras_serializable(package="kpinn.layers")
class RandomFeatures(FromConfig, keras.layers.Layer):
    """Fixed random functions of the coordinates, a hidden layer that is not trained.

    Feature `j` is `f(w_j . x + b_j)`. The entries of `w_j` are uniform between `-scale` and
    `scale`, one scale for each column. For sines and cosines, for which it is the largest angular
    frequency, `b_j` is a phase, uniform in `[0, 2 pi]`; other functions have their centre, where
    `w_j . x + b_j` is zero, at a random place in the box of the points. A linear layer on top of it
    is found by one least-squares problem where the equations are linear, see
    `kpinn.networks.RandomFeatures`.

    With `interactions` a feature depends on at most so many columns, drawn for it, and its other
    weights are zero: each number up to `interactions` is drawn as often. For many columns, if the
    solution is near a sum of functions of few of them: dense features see each column alone by
    chance only.

    With `windows` the box is cut into so many parts along each column. Each has features of its
    own, times a smooth window; the windows add up to one everywhere.

    Args:
        units: number of features, of each window.
        activation: `"sin"`, `"cos"`, or an activation of Keras such as `"tanh"`; smooth.
        scale: one number for all columns, or one for each; `None` for one that is chosen by
            `kpinn.PINN.adapt`.
        windows: one whole number for each column, or `None`.
        seed: of the random numbers; by default drawn.
        interactions: most columns that a feature depends on; `None` for all, in each feature.
        **kwargs: of `keras.layers.Layer`.

    Input shape: `(n, d)`.

    Output shape: `(n, units)`; with windows `(n, units * number of windows)`.

    Raises:
        ValueError: for sizes below one, scales that are not positive, or as many of them as there
            are no columns.

    Example:

        features = kpinn.layers.RandomFeatures(500, scale=[10.0, 30.0])
        last = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        network = keras.Sequential([keras.Input((2,)), features, last])

    References:
        Rahimi & Recht, "Random features for large-scale kernel machines" (2007).
        Chen, Chi, E & Yang, "Bridging traditional and machine learning-based algorithms for
        solving PDEs: the random feature method" (2022), for windows too; these here are
        differences of sigmoids, which are smooth.
        Hashemi, Schaeffer, Shi, Topcu, Tran & Ward, "Generalization bounds for sparse random
        feature expansions" (2023), for features of few columns.
    """

    def __init__(
        self,
        units,
        activation="sin",
        scale=None,
        windows=None,
        seed=None,
        interactions=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = positive_whole("units", units)
        self.is_wave = isinstance(activation, str) and activation in WAVES
        get = keras.activations.get
        self.activation = activation if self.is_wave else of_keras("activation", get, activation)
        self._given_scale = optional(one_or_several, "scale", scale, number, "(0, inf)")
        windows = optional(one_or_several, "windows", windows, positive_whole)
        self.windows = [windows] if isinstance(windows, int) else windows
        drawn = np.random.randint(2**31 - 1) if seed is None else seed
        self.seed = whole("seed", drawn, 0)
        self.interactions = optional(positive_whole, "interactions", interactions)
        self._seen = None

    def build(self, input_shape):
        """Draws the features."""
        columns = input_shape[-1]
        for name, given in (("scale", self._given_scale), ("windows", self.windows)):
            if isinstance(given, list) and len(given) != columns:
                raise ValueError(
                    f"{name}={given} does not fit points with {columns} columns: expected one "
                    "number for each."
                )
        count = self.units * self._window_count
        for name, shape in (
            ("scale", (columns,)),
            ("box", (2, columns)),
            ("kernel", (columns, count)),
            ("bias", (count,)),
        ):
            setattr(
                self,
                name,
                self.add_weight(shape=shape, name=name, trainable=False, initializer="zeros"),
            )
        if self._given_scale is not None:
            self.scale.assign(np.broadcast_to(self._given_scale, columns))
        self._arrange()

    @property
    def _window_count(self):
        return math.prod(self.windows or [1])

    @property
    def is_adapted(self):
        """Whether the features have a scale, and where they need it a box."""
        needs_box = self.windows is not None or not self.is_wave
        has_box = bool(np.any(np.asarray(self.box)))
        return bool(np.all(np.asarray(self.scale))) and (has_box or not needs_box)

    @property
    def chooses_scale(self):
        """Whether no scale was given."""
        return self._given_scale is None

    def adapt(self, data):
        """Puts the features into the box of points, as layers of Keras are adapted to data.

        Args:
            data: array `(n, d)`.

        Raises:
            ValueError: for data of another shape.

        Example:

            features = kpinn.layers.RandomFeatures(100, "tanh", scale=3.0)
            features.adapt(np.random.uniform(5.0, 9.0, (1_000, 2)))
        """
        data = real_array("data", data)
        if not self.built:
            self.build(data.shape)
        columns = self.kernel.shape[0]
        if data.ndim != 2 or data.shape[1] != columns or not len(data):
            raise ValueError(f"data has the shape {data.shape}: expected (n, {columns}).")
        self.box.assign(np.stack([data.min(axis=0), data.max(axis=0)]))
        self._arrange()

    def set_scale(self, scale):
        """Gives the same features another scale.

        Args:
            scale: a positive number, or one for each column.

        Raises:
            ValueError: for anything else.

        Example:

            features.set_scale([10.0, 30.0])
        """
        scale = one_or_several("scale", scale, number, "(0, inf)")
        self.scale.assign(np.broadcast_to(scale, self.scale.shape))
        self._arrange()

    def inputs_of(self, call):
        """What the layer gets while `call()` runs, an array `(n, d)`."""
        self._seen = []
        try:
            call()
            return np.concatenate(self._seen)
        finally:
            self._seen = None

    def _arrange(self):
        """Sets the weights from the random numbers, the scale and the box."""
        scale, box = (np.asarray(each, np.float64) for each in (self.scale, self.box))
        scale = np.where(scale > 0.0, scale, 1.0)
        if not box.any():
            box = np.stack([-np.ones_like(scale), np.ones_like(scale)])
        random = np.random.default_rng(self.seed)
        kernel = scale[:, None] * random.uniform(-1.0, 1.0, self.kernel.shape)
        if self.interactions is not None:
            kernel *= self._few_columns()
        if self.is_wave:
            bias = random.uniform(0.0, 2.0 * math.pi, self.bias.shape)
        else:
            low, width = self._windows_of(box)
            places = random.uniform(0.0, 1.0, (self._window_count, self.units, len(scale)))
            places = (low[:, None] + width * places).reshape(-1, len(scale))
            bias = -np.sum(kernel.T * places, axis=1)
        self.kernel.assign(kernel)
        self.bias.assign(bias)

    def _few_columns(self):
        """Ones and zeros `(d, units)`: the columns that each feature depends on."""
        columns, count = self.kernel.shape
        random = np.random.default_rng([self.seed, 1])
        order = random.permuted(np.tile(np.arange(columns)[:, None], count), axis=0)
        most = min(self.interactions, columns)
        return order < random.integers(1, most, count, endpoint=True)

    def _windows_of(self, box):
        """The lower corners `(w, d)` of the windows and their widths `(d,)`."""
        counts = self.windows or [1] * box.shape[1]
        width = (box[1] - box[0]) / counts
        places = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1)
        return box[0] + width * places.reshape(-1, len(counts)), width

    def call(self, inputs):
        """The features `(n, units)`, of all windows."""
        if self._seen is not None:
            self._seen.append(np.asarray(inputs))
        function = WAVES[self.activation] if self.is_wave else self.activation
        features = function(ops.matmul(inputs, self.kernel) + self.bias)
        if self._window_count == 1:
            return features
        windows = ops.expand_dims(self._weights(inputs), 2)
        features = ops.reshape(features, (-1, self._window_count, self.units))
        return ops.reshape(windows * features, (-1, self._window_count * self.units))

    def _weights(self, inputs):
        """The value of each window, `(n, w)`; they add up to one."""
        total = None
        for column, count in enumerate(self.windows):
            x = inputs[:, column : column + 1]
            low, high = self.box[0, column], self.box[1, column]
            width = (high - low) / count
            edges = ops.convert_to_tensor(np.arange(1.0, count)[None], inputs.dtype)
            steps = ops.sigmoid(STEEPNESS * ((x - low) / width - edges))
            above = ops.concatenate([ops.ones_like(x), steps], axis=1)
            below = ops.concatenate([steps, ops.zeros_like(x)], axis=1)
            part = above - below
            if total is not None:
                part = ops.expand_dims(total, 2) * ops.expand_dims(part, 1)
                part = ops.reshape(part, (-1, math.prod(self.windows[: column + 1])))
            total = part
        return total

    def compute_output_shape(self, input_shape):
        """`(n, units)`, of all windows."""
        return (*input_shape[:-1], self.units * self._window_count)

    def get_config(self):
        """The arguments."""
        activation = self.activation
        if not self.is_wave:
            activation = keras.activations.serialize(activation)
        return super().get_config() | {
            "units": self.units,
            "activation": activation,
            "scale": self._given_scale,
            "windows": self.windows,
            "seed": self.seed,
            "interactions": self.interactions,
        }
