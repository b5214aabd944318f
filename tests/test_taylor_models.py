"""Taylor coefficients through models of all kinds, against references of 50 digits.

A reference is the model written again in `exact_layers`. Gradients with respect to the weights are
compared along one random direction, which sees an error in any of them.
"""

import functools

import exact_layers as exact
import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from exact_layers import error
from keras import layers, ops
from mpmath import mp

import kpinn

STRICT = kpinn.Taylor(strict=True)
POINTS = np.array([[0.31, -0.67], [-0.83, 0.42]])
NAMES = ("", "x", "xy", "xxy", "xxyy", "yyyy")
TRAINED = ("x", "xyy", "xxyy")  # derivatives in the loss


@pytest.fixture(autouse=True)
def float64():
    kpinn.set_float64()


def axes_of(name):
    return tuple("xy".index(letter) for letter in name)


def asked(names):
    return [f"u_{name}" if name else "u" for name in names]


def draw(model, seed=7):
    """Random weights for all layers, and variances that are positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        values = rng.uniform(-1, 1, weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return model


def size_of(model):
    return model.output_shape[-1] if hasattr(model, "output_shape") else 1


def check(model, reference, tolerance=1e-12):
    """Values to the fourth order and gradients of a loss of derivatives.

    Args:
        model: a Keras model `(n, 2) -> (n, m)`.
        reference: `(weights, point) -> outputs`, with the weights in the order of the model.
        tolerance: of the errors relative to the largest value.
    """
    draw(model)
    check_values(model, reference, tolerance)
    if model.trainable_weights:
        check_gradient(model, reference, tolerance)


def evaluate(model, names, points=POINTS, method=STRICT):
    return kpinn.derivatives(
        model, points, asked(names), "x y", f"u[{size_of(model)}]", method=method
    )


def check_values(model, reference, tolerance=1e-12):
    weights = [references.exact(w) for w in model.get_weights()]
    values = evaluate(model, NAMES)
    for name in NAMES:
        expected = references.partials(lambda p: reference(weights, p), POINTS, axes_of(name))
        assert error(values[asked([name])[0]], expected) < tolerance, name or "u"


def check_gradient(model, reference, tolerance=1e-12):
    """The derivative of a sum of squares of derivatives along a direction of the weights."""
    variables, steps = steps_of(model)
    with tf.GradientTape() as tape:
        total = loss(model)
    gradient = tape.gradient(total, variables, None, tf.UnconnectedGradients.ZERO)
    first, _, size = slopes(model, steps, reference)
    assert abs(inner(gradient, steps) - first) < tolerance * size


def steps_of(model):
    """The trained variables, and a direction for each of them."""
    rng = np.random.default_rng(3)
    variables = [w.value for w in model.trainable_weights]
    return variables, [rng.uniform(-1, 1, variable.shape) for variable in variables]


def loss(model):
    return tf.add_n([tf.reduce_sum(value**2) for value in evaluate(model, TRAINED).values()])


def inner(gradient, steps):
    parts = [tf.convert_to_tensor(part) for part in gradient]
    return tf.add_n([tf.reduce_sum(g * s) for g, s in zip(parts, steps, strict=True)])


@references._precise
def slopes(model, steps, reference):
    """The first and the second derivative of the loss along steps of the weights, and its size."""
    steps = iter(steps)
    trained = [any(w is other for other in model.trainable_weights) for w in model.weights]
    moves = [references.exact(next(steps) if t else np.zeros(())) for t in trained]
    weights = [references.exact(w) for w in model.get_weights()]
    losses = []
    for side in (-1, 0, 1):
        moved = [w + side * references.STEP * m for w, m in zip(weights, moves, strict=True)]
        function = references.remember(lambda point, moved=moved: reference(moved, point))
        values = [
            references.partial(function, references.exact(point), axes_of(name))
            for point in POINTS
            for name in TRAINED
        ]
        losses.append(np.array(values) ** 2)
    first = (losses[2] - losses[0]) / (2 * references.STEP)
    second = (losses[2] - 2 * losses[1] + losses[0]) / references.STEP**2
    return float(first.sum()), float(second.sum()), float(np.abs(first).sum())


# One layer between two dense ones --------------------------------------------------------------


def between(shape, layer):
    """A network with features of some shape before the layer, and a dense layer behind it."""
    inputs = keras.Input((2,))
    features = layers.Reshape(shape)(layers.Dense(int(np.prod(shape)), "tanh")(inputs))
    outputs = layers.Dense(1)(layers.Flatten()(layer(features)))
    return keras.Model(inputs, outputs)


def reference_between(shape, function):
    def reference(weights, point):
        kernel, bias, *middle, last, shift = weights
        features = exact.tanh(point @ kernel + bias).reshape(shape)
        return function(features, *middle).reshape(-1) @ last + shift

    return reference


def scaled_by_deviation(x, gamma):
    """What Keras calls RMS scaling."""
    variance = ((x - x.sum() / len(x)) ** 2).sum() / len(x)
    return x / exact.sqrt(variance + mp.mpf(1e-3)) * gamma


def adapted():
    return layers.Normalization(mean=[0.5, -0.25, 0.125], variance=[0.5, 2.0, 1.5])


def standardized(x):
    mean, variance = np.array([0.5, -0.25, 0.125]), np.array([0.5, 2.0, 1.5])
    return (x - references.exact(mean)) / exact.sqrt(references.exact(variance))


NORMALIZATIONS = {
    "layer": ((5,), layers.LayerNormalization, exact.layer_norm),
    "layer, two axes": (
        (3, 4),
        lambda: layers.LayerNormalization(axis=(-2, -1)),
        lambda x, *w: exact.layer_norm(x, *w, axes=(-2, -1)),
    ),
    "layer, first axis": (
        (3, 4),
        lambda: layers.LayerNormalization(axis=1),
        lambda x, gamma, beta: exact.layer_norm(x, gamma[:, None], beta[:, None], axes=(0,)),
    ),
    "layer, not centered": (
        (5,),
        lambda: layers.LayerNormalization(center=False),
        exact.layer_norm,
    ),
    "layer, not scaled": (
        (5,),
        lambda: layers.LayerNormalization(scale=False),
        lambda x, beta: exact.layer_norm(x, 1, beta),
    ),
    "layer, RMS": (
        (5,),
        lambda: layers.LayerNormalization(rms_scaling=True),
        scaled_by_deviation,
    ),
    "group": ((6,), lambda: layers.GroupNormalization(2), exact.group_norm),
    "group, rows": ((3, 4), lambda: layers.GroupNormalization(2), exact.group_norm),
    "group, of all": (
        (3, 4),
        lambda: layers.GroupNormalization(-1),
        lambda x, *w: exact.group_norm(x, *w, groups=4),
    ),
    "group, plain": (
        (6,),
        lambda: layers.GroupNormalization(3, center=False, scale=False),
        lambda x: exact.group_norm(x, groups=3),
    ),
    "RMS": ((5,), layers.RMSNormalization, exact.rms_norm),
    "unit": ((5,), layers.UnitNormalization, exact.unit_norm),
    "unit, two axes": (
        (2, 3),
        lambda: layers.UnitNormalization(axis=(1, 2)),
        lambda x: exact.unit_norm(x, (0, 1)),
    ),
    "batch": ((5,), layers.BatchNormalization, exact.batch_norm),
    "batch, rows": ((3, 4), layers.BatchNormalization, exact.batch_norm),
    "adapted": ((3,), adapted, standardized),
}


@pytest.mark.filterwarnings("ignore:.*rms_scaling")
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalizations(name):
    """Nested tapes are wrong for layer and group normalization."""
    shape, layer, function = NORMALIZATIONS[name]
    check(between(shape, layer()), reference_between(shape, function))


def conv(name, shape, *sizes, function=exact.conv, **how):
    """A layer of windows and its reference, which take the same arguments."""
    of_keras = {"dilation_rate" if key == "dilation" else key: value for key, value in how.items()}
    return (
        shape,
        lambda: getattr(layers, name)(*sizes, **of_keras),
        lambda x, *weights: function(x, *weights, **how),
    )


def pool(name, shape, kind, size, **how):
    return (
        shape,
        lambda: getattr(layers, f"{name}Pooling{len(shape) - 1}D")(size, **how),
        lambda x: exact.pool(kind, x, (size,) * (len(shape) - 1), **({"strides": size} | how)),
    )


def attend(layer, function):
    """A layer of a query, a value and a key, on the same rows."""
    return (3, 2), lambda: SelfAttention(layer()), lambda x, *w: function(x, x, x, *w)


class SelfAttention(layers.Layer):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, x):
        return self.layer([x, x])


class Heads(layers.Layer):
    def __init__(self):
        super().__init__()
        self.heads = layers.MultiHeadAttention(2, 4)

    def call(self, x):
        return self.heads(x, x)


def causal(x, *w):
    """Each row attends to itself and to rows before it."""
    rows = [exact.multi_head_attention(x[: i + 1], *w)[-1] for i in range(len(x))]
    return np.array(rows)


class Causal(Heads):
    def call(self, x):
        return self.heads(x, x, use_causal_mask=True)


def recurrent(layer, function, **how):
    return (3, 2), lambda: layer(2, **how), function


def both_ways(x, *w):
    return np.concatenate([exact.gru(x, *w[:3]), exact.gru(x[::-1], *w[3:])])


depthwise, separable, transposed = exact.depthwise, exact.separable, exact.conv_transpose
LAYERS = {
    "Dense of rows": ((3, 2), lambda: layers.Dense(2), lambda x, k, b: x @ k + b),
    "EinsumDense": (
        (3, 2),
        lambda: layers.EinsumDense("abc,cde->abde", (3, 2, 3), bias_axes="de"),
        lambda x, k, b: np.tensordot(x, k, 1) + b,
    ),
    "EinsumDense of rows": (
        (3, 2),
        lambda: layers.EinsumDense("abc,bd->adc", (4, 2)),
        lambda x, k: k.T @ x,
    ),
    "PReLU": (
        (3, 2),
        lambda: layers.PReLU(shared_axes=[1]),
        lambda x, a: np.maximum(x, 0) + a * np.minimum(x, 0),
    ),
    "LeakyReLU": ((5,), lambda: layers.LeakyReLU(0.25), lambda x: np.where(x > 0, x, x / 4)),
    "ELU": ((5,), lambda: layers.ELU(1.0), exact.activation("elu")),
    "Softmax": ((3, 2), layers.Softmax, exact.softmax),
    "Softmax of rows": ((3, 2), lambda: layers.Softmax(1), lambda x: exact.softmax(x, 0)),
    "Rescaling": ((4,), lambda: layers.Rescaling(0.5, -1.0), lambda x: x / 2 - 1),
    "Conv1D": conv("Conv1D", (5, 2), 2, 3),
    "Conv1D, same": conv("Conv1D", (5, 2), 2, 3, padding="same"),
    "Conv1D, causal": conv("Conv1D", (5, 2), 2, 2, padding="causal", dilation=2),
    "Conv1D, strides": conv("Conv1D", (6, 2), 2, 3, padding="same", strides=2),
    "Conv2D": conv("Conv2D", (3, 4, 2), 2, (2, 3)),
    "Conv2D, same": conv("Conv2D", (3, 3, 2), 2, 3, padding="same", strides=2),
    "Conv2D, dilation": conv("Conv2D", (4, 4, 1), 2, 2, dilation=2),
    "Conv3D": conv("Conv3D", (2, 3, 2, 1), 2, 2),
    "DepthwiseConv1D": conv("DepthwiseConv1D", (5, 2), 2, function=depthwise, padding="same"),
    "DepthwiseConv2D": conv("DepthwiseConv2D", (3, 3, 2), 2, function=depthwise),
    "SeparableConv1D": conv("SeparableConv1D", (5, 2), 3, 2, function=separable),
    "SeparableConv2D": conv("SeparableConv2D", (3, 3, 2), 3, 2, function=separable, padding="same"),
    "Conv1DTranspose": conv("Conv1DTranspose", (3, 2), 2, 3, function=transposed, strides=2),
    "Conv1DTranspose, same": conv(
        "Conv1DTranspose", (3, 2), 2, 3, function=transposed, strides=2, padding="same"
    ),
    "Conv2DTranspose": conv("Conv2DTranspose", (2, 2, 2), 2, 2, function=transposed, strides=2),
    "Conv3DTranspose": conv("Conv3DTranspose", (2, 2, 1, 1), 2, 2, function=transposed),
    "MaxPooling1D": pool("Max", (6, 2), "max", 2),
    "MaxPooling1D, same": pool("Max", (5, 2), "max", 3, strides=2, padding="same"),
    "MaxPooling2D": pool("Max", (4, 4, 2), "max", 2),
    "AveragePooling1D": pool("Average", (6, 2), "average", 2),
    "AveragePooling2D": pool("Average", (3, 3, 2), "average", 2, strides=1, padding="same"),
    "GlobalMaxPooling1D": ((4, 3), layers.GlobalMaxPooling1D, lambda x: x.max(0)),
    "GlobalMaxPooling2D": ((2, 2, 3), layers.GlobalMaxPooling2D, lambda x: x.max((0, 1))),
    "GlobalAveragePooling1D": ((4, 3), layers.GlobalAveragePooling1D, lambda x: x.sum(0) / 4),
    "GlobalAveragePooling2D": (
        (2, 2, 3),
        layers.GlobalAveragePooling2D,
        lambda x: x.sum((0, 1)) / 4,
    ),
    "Attention": attend(layers.Attention, exact.attention),
    "Attention, scaled": attend(
        lambda: layers.Attention(use_scale=True),
        lambda q, k, v, scale: exact.attention(q, k, v, scale),
    ),
    "AdditiveAttention": attend(layers.AdditiveAttention, exact.additive_attention),
    "MultiHeadAttention": ((3, 4), Heads, exact.multi_head_attention),
    "MultiHeadAttention, causal": ((3, 2), Causal, causal),
    "SimpleRNN": recurrent(layers.SimpleRNN, exact.simple_rnn),
    "LSTM": recurrent(layers.LSTM, exact.lstm),
    "LSTM without a loop": recurrent(layers.LSTM, exact.lstm, unroll=True),
    "GRU": recurrent(layers.GRU, exact.gru),
    "Bidirectional": ((3, 2), lambda: layers.Bidirectional(layers.GRU(2)), both_ways),
    "TimeDistributed": (
        (3, 2),
        lambda: layers.TimeDistributed(layers.Dense(2, "tanh")),
        lambda x, k, b: exact.tanh(x @ k + b),
    ),
    "SpectralNormalization": (
        (4,),
        lambda: layers.SpectralNormalization(layers.Dense(3)),
        lambda x, k, u, b: x @ k + b,
    ),
    "Permute": ((3, 2), lambda: layers.Permute((2, 1)), lambda x: x.T),
    "Reshape": ((6,), lambda: layers.Reshape((3, 2)), lambda x: x),
    "RepeatVector": ((3,), lambda: layers.RepeatVector(2), lambda x: np.stack([x, x])),
    "Cropping1D": ((5, 2), lambda: layers.Cropping1D((1, 2)), lambda x: x[1:-2]),
    "Cropping2D": ((3, 4, 1), lambda: layers.Cropping2D(((1, 0), (1, 2))), lambda x: x[1:, 1:-2]),
    "ZeroPadding1D": ((3, 2), lambda: layers.ZeroPadding1D((1, 2)), lambda x: exact.pad(x, (1, 2))),
    "ZeroPadding2D": (
        (2, 2, 1),
        lambda: layers.ZeroPadding2D(((1, 0), (2, 1))),
        lambda x: exact.pad(x, (1, 0), (2, 1)),
    ),
    "UpSampling1D": ((3, 2), lambda: layers.UpSampling1D(2), lambda x: exact.upsample(x, (2,))),
    "UpSampling2D": (
        (2, 2, 1),
        lambda: layers.UpSampling2D((2, 3)),
        lambda x: exact.upsample(x, (2, 3)),
    ),
    "noise": (
        (4,),
        lambda: keras.Sequential([layers.Dropout(0.5), layers.GaussianNoise(1.0)]),
        lambda x: x,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    shape, layer, function = LAYERS[name]
    check(between(shape, layer()), reference_between(shape, function))


@pytest.mark.parametrize("kind", ("Max", "Average"))
def test_pooling_in_three_dimensions(kind):
    """TensorFlow has it in float32 only."""
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    layer = getattr(layers, f"{kind}Pooling3D")(2)
    model = draw(between((2, 2, 4, 1), layer))
    reference = reference_between(
        (2, 2, 4, 1), lambda x: exact.pool(kind.lower(), x, (2, 2, 2), strides=2)
    )
    check_values(model, reference, 1e-5)


# Whole models ----------------------------------------------------------------------------------


def dense(x, kernel, bias):
    return exact.tanh(x @ kernel + bias)


def with_skips():
    inputs = keras.Input((2,))
    shared = layers.Dense(2, "tanh")
    once = shared(inputs)
    twice = shared(once)
    joined = layers.Concatenate()([layers.Add()([once, twice]), inputs])
    return keras.Model(inputs, layers.Dense(2)(joined))


def reference_with_skips(w, x):
    once = dense(x, *w[:2])
    return np.concatenate([once + dense(once, *w[:2]), x]) @ w[2] + w[3]


def with_merges():
    inputs = keras.Input((2,))
    a, b, c = (layers.Dense(3, "tanh")(inputs) for _ in range(3))
    merged = [
        layers.Multiply()([a, b, c]),
        layers.Average()([a, b]),
        layers.Maximum()([a, b]),
        layers.Minimum()([b, c]),
        layers.Subtract()([a, c]),
        layers.Dot(axes=1)([a, b]),
        layers.Dot(axes=1, normalize=True)([b, c]),
    ]
    return keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(merged)))


def reference_with_merges(w, x):
    a, b, c = (dense(x, *w[i : i + 2]) for i in (0, 2, 4))
    unit_b, unit_c = exact.unit_norm(b), exact.unit_norm(c)
    dots = [[(a * b).sum()], [(unit_b * unit_c).sum()]]
    merged = [a * b * c, (a + b) / 2, np.maximum(a, b), np.minimum(b, c), a - c, *dots]
    return np.concatenate(merged) @ w[6] + w[7]


@keras.saving.register_keras_serializable("tests")
class Gated(keras.Model):
    """The modified MLP of Wang, Teng & Perdikaris (2021), in a subclass."""

    def __init__(self):
        super().__init__()
        self.encoders = [layers.Dense(3, "tanh") for _ in range(2)]
        self.hidden = [layers.Dense(3, "sigmoid") for _ in range(2)]
        self.last = layers.Dense(1)
        self.build((None, 2))

    def build(self, shape):
        for layer in (*self.encoders, self.hidden[0]):
            layer.build((None, 2))
        self.hidden[1].build((None, 3))
        self.last.build((None, 3))
        self.built = True

    def call(self, x):
        u, v = (layer(x) for layer in self.encoders)
        for layer in self.hidden:
            gate = layer(x)
            x = gate * u + (1.0 - gate) * v
        return self.last(x)


def reference_gated(w, x):
    u, v = dense(x, *w[:2]), dense(x, *w[2:4])
    for kernel, bias in (w[4:6], w[6:8]):
        gate = exact.sigmoid(x @ kernel + bias)
        x = gate * u + (1 - gate) * v
    return x @ w[8] + w[9]


def with_operations():
    """Operations of Keras on symbolic tensors, and a Lambda."""
    inputs = keras.Input((2,))
    hidden = layers.Dense(4, "tanh")(inputs)
    first, second = ops.split(hidden, 2, axis=1)
    mixed = ops.sin(3.0 * first) * ops.exp(second) / (1.0 + ops.square(inputs))
    stacked = ops.stack([mixed, ops.flip(second, axis=1)], axis=1)
    spread = ops.sum(ops.swapaxes(stacked, 1, 2) ** 2, axis=-1)
    scaled = layers.Lambda(lambda x: tf.math.softplus(x) * x[:, :1])(spread)
    return keras.Model(inputs, ops.logsumexp(scaled, axis=1, keepdims=True))


def reference_with_operations(w, x):
    hidden = dense(x, *w)
    first, second = hidden[:2], hidden[2:]
    mixed = exact.sin(3 * first) * exact.exp(second) / (1 + x**2)
    spread = mixed**2 + second[::-1] ** 2
    scaled = exact.log(1 + exact.exp(spread)) * spread[0]
    return exact.log(exact.exp(scaled).sum(keepdims=True))


def with_fourier_features():
    inputs = keras.Input((2,))
    angles = layers.Dense(3, use_bias=False)(inputs)
    features = ops.concatenate([ops.sin(angles), ops.cos(angles), ops.sin(inputs[:, 1:])], axis=1)
    t, x = inputs[:, :1], inputs[:, 1:2]
    net = layers.Dense(1)(layers.Dense(3, "silu")(features))
    return keras.Model(inputs, ops.sin(np.pi * x) + t * x * (1.0 - x) * net)


def reference_with_fourier_features(w, p):
    angles = p @ w[0]
    features = np.concatenate([exact.sin(angles), exact.cos(angles), exact.sin(p[1:])])
    hidden = features @ w[1] + w[2]
    net = (hidden * exact.sigmoid(hidden)) @ w[3] + w[4]
    t, x = p[:1], p[1:]
    return exact.sin(mp.mpf(np.pi) * x) + t * x * (1 - x) * net


def of_one_coordinate():
    """The other derivatives are zero by structure."""
    inputs = keras.Input((2,))
    of_x = layers.Dense(3, "tanh")(inputs[:, :1])
    of_y = layers.Dense(3, ops.sin)(inputs[:, 1:])
    return keras.Model(inputs, ops.concatenate([of_x, of_y, layers.Dense(2)(of_x)], axis=1))


def reference_of_one_coordinate(w, p):
    of_x = dense(p[:1], *w[:2])
    return np.concatenate([of_x, exact.sin(p[1:] @ w[2] + w[3]), of_x @ w[4] + w[5]])


def nested():
    """Models in models."""
    inner = keras.Sequential([layers.Dense(2, "tanh"), layers.Dense(2)])
    return keras.Sequential([keras.Input((2,)), inner, with_skips(), layers.Dense(1)])


def reference_nested(w, p):
    inner = dense(p, *w[:2]) @ w[2] + w[3]
    return reference_with_skips(w[4:8], inner) @ w[8] + w[9]


MODELS = {
    "shared layers and skips": (with_skips, reference_with_skips),
    "merges": (with_merges, reference_with_merges),
    "subclass": (Gated, reference_gated),
    "operations": (with_operations, reference_with_operations),
    "Fourier features and hard constraints": (
        with_fourier_features,
        reference_with_fourier_features,
    ),
    "of one coordinate": (of_one_coordinate, reference_of_one_coordinate),
    "nested": (nested, reference_nested),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    model, reference = MODELS[name]
    check(model(), reference)


# TensorFlow in layers --------------------------------------------------------------------------


class Raw(layers.Layer):
    """A function `(x, *weights)` of TensorFlow with weights of given shapes."""

    def __init__(self, function, *shapes):
        super().__init__()
        self.function, self.shapes = function, shapes
        self.all = [self.add_weight(shape=shape) for shape in shapes]
        self.built = True

    def call(self, x):
        return self.function(x, *(weight.value for weight in self.all))


@tf.function(autograph=False)
def inside(x, w):
    return tf.sin(x @ w)


@tf.function(autograph=False, jit_compile=True)
def inside_xla(x, w):
    return tf.tanh(inside(x, w)) * x[:, :1]


@tf.custom_gradient
def clipped_backwards(x):
    """The function itself is differentiated, not what it says of its gradient."""
    return tf.sin(x), lambda upstream: 7.0 * upstream


def by_condition(x, w):
    """Branches of which one does not depend on the coordinates."""
    positive = tf.reduce_sum(w) > 0
    y = tf.cond(positive, lambda: tf.sin(x * w), lambda: tf.exp(x) * w)
    z = tf.cond(positive, lambda: y * x, lambda: w + tf.zeros_like(x))
    return y + tf.cond(positive, lambda: tf.ones_like(x), lambda: z)


def reference_by_condition(x, w):
    y = exact.sin(x * w) if w.sum() > 0 else exact.exp(x) * w
    return y + (1 if w.sum() > 0 else w)


def by_case(x, w):
    branches = [lambda: x, lambda: tf.sin(x * w), lambda: x**3]
    return w * tf.switch_case(tf.constant(1), branches) + tf.switch_case(tf.constant(2), branches)


def by_loop(x, w):
    """A loop that carries a jet, one that becomes a jet, an integer and a weight."""

    def body(i, y, total, w):
        return i + 1, tf.sin(y * w + tf.cast(i, x.dtype)), total + y, w

    start = (0, x, tf.zeros_like(x), w)
    _, y, total, _ = tf.while_loop(lambda i, *_: i < 3, body, start)
    return y * total


def reference_by_loop(x, w):
    total = 0 * x
    for i in range(3):
        x, total = exact.sin(x * w + i), total + x
    return x * total


def by_captured_loop(x, w):
    """What is captured may be a weight or a jet; the number of steps may depend on it."""
    _, y = tf.while_loop(
        lambda i, y: i < tf.shape(w)[0] + 1,
        lambda i, y: (i + 1, tf.tanh(y * w + x)),
        (0, tf.ones_like(x)),
        maximum_iterations=10,
    )
    return y


def reference_by_captured_loop(x, w):
    y = 1 + 0 * x
    for _ in range(3):
        y = exact.tanh(y * w + x)
    return y


def by_loop_of_branches(x, w):
    one = tf.eye(2, dtype=x.dtype)

    def body(i, y):
        return i + 1, tf.cond(i % 2 == 0, lambda: tf.sin(y * w), lambda: inside(y, one) + x)

    return tf.while_loop(lambda i, y: i < 4, body, (0, x))[1]


def reference_by_loop_of_branches(x, w):
    y = x
    for i in range(4):
        y = exact.sin(y * w) if i % 2 == 0 else exact.sin(y) + x
    return y


def with_tape(x, w, v):
    """The gradient of an energy, as in a stream function or a hyperelastic material."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        energy = energy_of(x, w, v)
    return tape.gradient(energy, x)


def energy_of(x, w, v):
    """Functions of which the gradients are operations of their own."""
    a, b = x @ w, x[:, ::-1] @ w
    hidden = [tf.tanh(a) * tf.sigmoid(b), tf.nn.elu(a), tf.nn.selu(a), tf.nn.relu(a) * b]
    hidden += [tf.nn.leaky_relu(a) * b, tf.nn.relu6(4.0 * a) * b, tf.math.reciprocal(a**2 + 1.0)]
    inner = tf.concat(hidden, axis=1) @ v
    rooted = tf.sqrt(inner**2 + 1.0) + tf.math.rsqrt(inner**2 + 2.0)
    return tf.math.softplus(inner) * rooted + tf.math.softsign(inner)


def reference_with_tape(x, w, v):
    def energy(x):
        a, b = x @ w, x[::-1] @ w
        relu = np.maximum(a, 0)
        hidden = [
            exact.tanh(a) * exact.sigmoid(b),
            *(exact.activation(n)(a) for n in ("elu", "selu")),
        ]
        leaky = np.where(a > 0, a, a * references.exact(np.float64(np.float32(0.2))))
        hidden += [relu * b, leaky * b, np.minimum(4 * relu, 6) * b, 1 / (a**2 + 1)]
        inner = np.concatenate(hidden) @ v
        rooted = exact.sqrt(inner**2 + 1) + 1 / exact.sqrt(inner**2 + 2)
        return exact.log(1 + exact.exp(inner)) * rooted + inner / (1 + abs(inner))

    return np.array([references.partial(energy, x, (axis,))[0] for axis in (0, 1)])


def with_tape_of_windows(x, w):
    """A tape through pooling."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        rows = tf.sin(x @ w)[:, :, None]
        pooled = tf.nn.max_pool1d(rows, 2, 2, "VALID") * tf.nn.avg_pool1d(rows, 2, 2, "VALID")
    return tape.gradient(pooled, x)


def reference_with_tape_of_windows(x, w):
    def pooled(x):
        rows = exact.sin(x @ w).reshape(2, 2)
        return (rows.max(1) * rows.sum(1) / 2).sum(keepdims=True)

    return np.array([references.partial(pooled, x, (axis,))[0] for axis in (0, 1)])


class Looped(layers.Layer):
    """A layer that is called in the body of a loop and in a branch: its weights are read there."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2, "tanh")
        self.dense.build((None, 2))
        self.built = True
        self.output_shape = (None, 2)

    def call(self, x):
        def body(i, y):
            return i + 1, tf.cond(i > 0, lambda: self.dense(y) + x, lambda: tf.sin(y))

        return tf.while_loop(lambda i, y: i < 3, body, (0, x))[1]


def test_layers_in_loops_and_branches():
    def reference(weights, point):
        y = exact.sin(point)
        for _ in range(2):
            y = dense(y, *weights) + point
        return y

    check(Looped(), reference)


RAW = {
    "tf.function": (inside, [(2, 3)], lambda x, w: exact.sin(x @ w)),
    "tf.function by XLA": (
        inside_xla,
        [(2, 3)],
        lambda x, w: exact.tanh(exact.sin(x @ w)) * x[:1],
    ),
    "custom gradient": (
        lambda x, w: clipped_backwards(x * w),
        [(2,)],
        lambda x, w: exact.sin(x * w),
    ),
    "cond": (by_condition, [(2,)], reference_by_condition),
    "switch_case": (by_case, [(2,)], lambda x, w: w * exact.sin(x * w) + x**3),
    "while_loop": (by_loop, [(2,)], reference_by_loop),
    "while_loop with captures": (by_captured_loop, [(2,)], reference_by_captured_loop),
    "while_loop of branches": (by_loop_of_branches, [(2,)], reference_by_loop_of_branches),
    "gradient tape": (with_tape, [(2, 3), (21, 1)], reference_with_tape),
    "gradient tape, windows": (with_tape_of_windows, [(2, 4)], reference_with_tape_of_windows),
    "recompute_grad": (
        lambda x, w: tf.recompute_grad(lambda x: tf.sin(x * w) * x)(x),
        [(2,)],
        lambda x, w: exact.sin(x * w) * x,
    ),
    "vectorized_map": (
        lambda x, w: tf.vectorized_map(lambda row: tf.sin(row * w) * tf.reduce_sum(row), x),
        [(2,)],
        lambda x, w: exact.sin(x * w) * x.sum(),
    ),
    "variable exponent": (lambda x, p: (x + 2.0) ** p, [(2,)], lambda x, p: (x + 2) ** p),
    "gathered weights": (
        lambda x, w: tf.sin(x @ tf.gather(w, [2, 0])),
        [(3, 2)],
        lambda x, w: exact.sin(x @ w[[2, 0]]),
    ),
    "einsum": (
        lambda x, w: tf.einsum("ni,nik->nk", tf.cos(x), tf.einsum("ni,ijk->njk", tf.sin(x), w)),
        [(2, 2, 3)],
        lambda x, w: exact.cos(x) @ np.tensordot(exact.sin(x), w, 1),
    ),
}


@pytest.mark.filterwarnings("ignore::kpinn.CustomGradientWarning")
@pytest.mark.parametrize("name", RAW)
def test_tensorflow_in_layers(name):
    reference = RAW[name][2]
    check(raw(name), lambda weights, point: reference(point, *weights))


def test_attributes_of_layers_that_change():
    """Nothing is kept from one call to the next."""

    class Scaled(layers.Layer):
        scale = 2.0

        def call(self, x):
            return tf.sin(self.scale * x)

    scaled, last = Scaled(), layers.Dense(1, "tanh")
    model = keras.Sequential([keras.Input((1,)), scaled, last])
    for scaled.scale, last.activation in ((2.0, ops.tanh), (3.0, ops.tanh), (3.0, ops.exp)):
        for mode in (lambda f: f, lambda f: tf.function(f, autograph=False)):
            value = mode(
                lambda: kpinn.derivatives(model, {"x": [0.25]}, "u_xx", method=STRICT)["u_xx"]
            )()
            expected = kpinn.derivatives(model, {"x": [0.25]}, "u_xx", method="reverse")["u_xx"]
            assert error(value, expected) < 1e-13


# Eagerly, in graphs, by XLA --------------------------------------------------------------------


@pytest.mark.parametrize("name", ("subclass", "Fourier features and hard constraints"))
def test_second_derivatives_with_respect_to_weights(name):
    """As Newton's method and the Gauss-Newton method need them."""
    make, reference = MODELS[name]
    model = draw(make())
    variables, steps = steps_of(model)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            total = loss(model)
        gradient = tape.gradient(total, variables, None, tf.UnconnectedGradients.ZERO)
        slope = inner(gradient, steps)
    product = outer.gradient(slope, variables, None, tf.UnconnectedGradients.ZERO)
    with tf.autodiff.ForwardAccumulator(
        variables, [tf.constant(step) for step in steps]
    ) as forward:
        total = loss(model)
    first, second, size = slopes(model, steps, reference)
    assert abs(forward.jvp(total) - first) < 1e-12 * size
    assert abs(inner(product, steps) - second) < 1e-11 * size


def test_gradient_with_respect_to_a_natural_exponent():
    """`x^p` at p = 2: its third derivative is zero, but not the derivative of that in `p`."""
    exponent = tf.Variable(2.0, dtype=tf.float64)

    def call():
        with tf.GradientTape() as tape:
            value = kpinn.derivatives(lambda x: x**exponent, {"x": [0.5]}, "u_xxx", method=STRICT)[
                "u_xxx"
            ]
        return value, tape.gradient(value, exponent)

    for mode in (call, tf.function(call, autograph=False)):
        value, gradient = mode()
        assert float(value[0, 0]) == 0.0
        assert float(gradient) == pytest.approx(2 / 0.5, rel=1e-6)


IN_GRAPHS = ("MultiHeadAttention", "merges", "operations", "tf.function", "while_loop")
BY_XLA = ("shared layers and skips", "Fourier features and hard constraints", "of one coordinate")
BY_XLA += ("layer", "group, rows", "Conv1D, same", "MaxPooling1D", "Attention")
BY_XLA += ("tf.function by XLA", "while_loop with captures", "cond", "variable exponent")


def build(name):
    """A model of any of the tables."""
    if name in MODELS:
        return MODELS[name][0]()
    if name in RAW:
        return raw(name)
    shape, layer, _ = (NORMALIZATIONS | LAYERS)[name]
    return between(shape, layer())


def raw(name):
    function, shapes, _ = RAW[name]
    model = Raw(function, *shapes)
    model.output_shape = (None, model(POINTS).shape[1])
    return model


def values_and_gradient(model, points, method=STRICT):
    """Values, and the gradient of the sum of their squares as one vector."""
    variables = [w.value for w in model.trainable_weights]
    with tf.GradientTape() as tape:
        values = evaluate(model, ("", "y", "xx"), points, method)
        loss = tf.add_n([tf.reduce_sum(value**2) for value in values.values()])
    gradient = tape.gradient(loss, variables, None, tf.UnconnectedGradients.ZERO)
    return [*values.values(), tf.concat([tf.reshape(part, (-1,)) for part in gradient], 0)]


@pytest.mark.parametrize("name", IN_GRAPHS + BY_XLA)
def test_one_trace_for_any_number_of_points(name):
    model = draw(build(name))
    call = functools.partial(values_and_gradient, model)
    signature = [tf.TensorSpec((None, 2), tf.float64)]
    graph = tf.function(call, input_signature=signature, autograph=False)
    for count in (2, 1, 0):
        points = tf.constant(POINTS[:count])
        for value, expected in zip(graph(points), call(points), strict=True):
            assert error(value, expected) < 1e-12, count


@pytest.mark.parametrize(
    "name, recompute",
    [*((name, False) for name in BY_XLA), ("shared layers and skips", True), ("cond", True)]
    + [("while_loop with captures", True)],
)
def test_eagerly_and_by_xla(name, recompute):
    model, method = draw(build(name)), kpinn.Taylor(strict=True, recompute=recompute)
    call = functools.partial(values_and_gradient, model, method=method)
    xla = tf.function(call, autograph=False, jit_compile=True)
    for value, expected in zip(xla(tf.constant(POINTS)), call(POINTS), strict=True):
        assert error(value, expected) < 1e-12


# Random models and requests --------------------------------------------------------------------

ACTIVATIONS = ("tanh", "silu", "gelu", "softplus", "sigmoid", "elu", "softsign", "mish", "softmax")


class Random:
    """A model of random operations on four columns, and the same operations for the reference."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.steps = []
        self.size = int(self.rng.integers(2, 4))
        inputs = keras.Input((self.size,))
        found = [self.dense(inputs, 0)]
        for _ in range(5):
            a, b = (int(self.rng.integers(len(found))) for _ in range(2))
            grow = self.rng.choice([self.dense, self.dense, self.normalized, self.joined])
            found.append(grow(found[a], a) if grow != self.joined else self.joined(found, a, b))
        last = layers.Dense(2)
        self.model = draw(keras.Model(inputs, last(layers.Add()([found[-1], found[-2]]))), seed)
        self.last = last

    def add(self, layer, function, *inputs):
        self.steps.append((layer, function, inputs))

    def dense(self, x, i):
        name = str(self.rng.choice(ACTIVATIONS))
        layer, act = layers.Dense(4, name), exact.activation(name)
        self.add(layer, lambda x, k, b: act(x @ k + b), i)
        return layer(x)

    def normalized(self, x, i):
        layer, function = [
            (layers.LayerNormalization(), exact.layer_norm),
            (layers.GroupNormalization(2), exact.group_norm),
            (layers.RMSNormalization(), exact.rms_norm),
        ][self.rng.integers(3)]
        self.add(layer, function, i)
        return layer(x)

    def joined(self, found, a, b):
        function, reference = [
            (lambda a, b: a * b, lambda a, b: a * b),
            (lambda a, b: a - ops.sin(3.0 * b), lambda a, b: a - exact.sin(3 * b)),
            (lambda a, b: a / (2.0 + b**2), lambda a, b: a / (2 + b**2)),
            (ops.maximum, np.maximum),
            (
                lambda a, b: ops.concatenate([b[:, 2:], a[:, :2]], axis=1),
                lambda a, b: np.concatenate([b[2:], a[:2]]),
            ),
            (
                lambda a, b: ops.flip(a, 1) * ops.sum(b, axis=1, keepdims=True),
                lambda a, b: a[::-1] * b.sum(),
            ),
        ][self.rng.integers(6)]
        self.add(None, reference, a, b)
        return function(found[a], found[b])

    def reference(self, point):
        (layer, function, _), *steps = self.steps
        found = [function(point, *self.weights(layer))]
        for layer, function, inputs in steps:
            found.append(function(*(found[i] for i in inputs), *self.weights(layer)))
        kernel, bias = self.weights(self.last)
        return (found[-1] + found[-2]) @ kernel + bias

    def weights(self, layer):
        return [references.exact(w) for w in layer.get_weights()] if layer else []


@pytest.mark.parametrize("seed", range(12))
def test_random_models_and_requests(seed):
    made = Random(seed)
    points = made.rng.uniform(-1, 1, (2, made.size))
    letters = list("xyz"[: made.size])
    names = {
        "u_" + "".join(sorted(made.rng.choice(letters, order))) for order in (1, 2, 3, 4, 5, 6)
    }

    def of(requests):
        return kpinn.derivatives(
            made.model, points, requests, " ".join(letters), "u[2]", method=STRICT
        )

    values = of(sorted(names))
    for name in sorted(names):
        axes = tuple(letters.index(letter) for letter in name[2:])
        expected = references.partials(made.reference, points, axes)
        assert error(values[name], expected) < 1e-11, name
    alone = max(names, key=len)
    assert error(of(alone)[alone], values[alone]) < 1e-13
    check_operators(of, letters)


def check_operators(of, letters):
    """Sums of derivatives that are carried as one channel, against their terms."""
    terms = {f"u_{a}{a}{b}{b}" for a in letters for b in letters if a <= b}
    parts = of([*sorted(terms), *(f"u_{a}{a}" for a in letters)])
    laplacian = sum(parts[f"u_{a}{a}"] for a in letters)
    biharmonic = sum(
        parts[f"u_{min(a, b)}{min(a, b)}{max(a, b)}{max(a, b)}"] for a in letters for b in letters
    )
    operators = of("laplacian_u, biharmonic_u")
    assert error(operators["laplacian_u"], laplacian) < 1e-12
    assert error(operators["biharmonic_u"], biharmonic) < 1e-12
