"""Networks for PINNs. Any Keras model from `(n, d)` to `(n, m)` is one, too."""

import math

import keras
from keras import ops

from kpinn import layers
from kpinn.layers.fields import Fields as Fields
from kpinn.layers.initializers import another
from kpinn.layers.mixed import Mixed
from kpinn.options import function, number, of_keras, positive_whole, shown, text
from kpinn.options.configs import FromConfig


def MLP(
    units=20,
    depth=4,
    outputs=1,
    activation="tanh",
    name=None,
    *,
    embedding=None,
    dense=keras.layers.Dense,
    **kwargs,
):
    """A multilayer perceptron: a plain `keras.Sequential` of `keras.layers.Dense`.

    Args:
        units: units of each hidden layer.
        depth: number of hidden layers.
        outputs: number of columns of the output.
        activation: activation of the hidden layers; smooth, for higher derivatives.
        name: name of the model; by default one that no other model has.
        embedding: a layer, or a list of layers, in front of the first hidden layer, such as
            `kpinn.layers.PeriodicEmbedding([None, 2.0])`.
        dense: class of the hidden layers, such as `kpinn.layers.FactorizedDense`.
        **kwargs: further arguments of the hidden layers, by default
            `kernel_initializer="glorot_normal"`; `dtype` and the initializer are those of the
            last layer too.

    Returns:
        A `keras.Sequential` from `(n, d)` to `(n, outputs)`.

    Raises:
        ValueError: for sizes below one, or an embedding that is no layer or has another dtype.

    Example:

        network = kpinn.networks.MLP(units=20, depth=8)
    """
    units, depth, outputs = _whole(units=units, depth=depth, outputs=outputs)
    initializer = _initializer(kwargs)
    hidden = _hidden(dense, depth, units, activation, initializer, kwargs)
    return _sequential(embedding, hidden, outputs, initializer, _name(name, "mlp"))


def ModifiedMLP(
    units=20,
    depth=4,
    outputs=1,
    activation="tanh",
    name=None,
    *,
    embedding=None,
    dense=keras.layers.Dense,
    **kwargs,
):
    """A multilayer perceptron whose hidden layers mix two encodings of the input.

    With the encodings `U` and `V`, dense layers of the input with the activation, and the outputs
    `Z` of a hidden layer, the next layer gets `Z U + (1 - Z) V`. It costs about twice as much as an
    `MLP` and trains better by Adam where the network is large and the solution has steep parts.

    Args:
        units: units of each hidden layer and of both encodings.
        depth: number of hidden layers.
        outputs: number of columns of the output.
        activation: activation of the hidden layers and of the encodings; smooth.
        name: name of the model; by default one that no other model has.
        embedding: as in `MLP`.
        dense: as in `MLP`, for the encodings too.
        **kwargs: as in `MLP`.

    Returns:
        A `keras.Sequential` from `(n, d)` to `(n, outputs)`.

    Raises:
        ValueError: as `MLP`.

    Example:

        network = kpinn.networks.ModifiedMLP(units=64, depth=4)

    References:
        Wang, Teng & Perdikaris, "Understanding and mitigating gradient flow pathologies in
        physics-informed neural networks" (2021), section 2.6; every hidden layer mixes as in Wang,
        Sankaran, Wang & Perdikaris, "An expert's guide to training physics-informed neural
        networks" (2023).
    """
    units, depth, outputs = _whole(units=units, depth=depth, outputs=outputs)
    initializer = _initializer(kwargs)
    layers = _hidden(dense, depth + 2, units, activation, initializer, kwargs)
    mixed = Mixed(layers[:2], layers[2:], name="mixed", dtype=layers[0].dtype_policy)
    return _sequential(embedding, [mixed], outputs, initializer, _name(name, "modified_mlp"))


def SIREN(
    units=20,
    depth=4,
    outputs=1,
    first_frequency=3.0,
    frequency=1.0,
    name=None,
    *,
    embedding=None,
    **kwargs,
):
    """A multilayer perceptron of sines, for solutions that oscillate.

    The hidden layers are `sin(frequency (x W + b))`, initialised so that the arguments of the sines
    have the same distribution in every layer, for inputs between -1 and 1 (`kpinn.layers.Rescale`).
    A new network oscillates with angular frequencies of up to about `first_frequency` over the
    number of inputs. `frequency` does not change the new network: the gradients with respect to the
    weights of the other hidden layers are proportional to it. The paper takes 30 for both, for
    images and small steps of Adam; the defaults are for solutions of equations.

    Args:
        units: units of each hidden layer.
        depth: number of hidden layers.
        outputs: number of columns of the output.
        first_frequency: factor of the argument of the first sine.
        frequency: factor of the arguments of the others.
        name: name of the model; by default one that no other model has.
        embedding: as in `MLP`.
        **kwargs: further arguments of the hidden layers; `dtype` is that of the last layer too.

    Returns:
        A `keras.Sequential` from `(n, d)` to `(n, outputs)`.

    Raises:
        ValueError: as `MLP`, and for frequencies that are not positive.

    Example:

        network = kpinn.networks.SIREN(units=40, depth=4, first_frequency=10.0)

    References:
        Sitzmann, Martel, Bergman, Lindell & Wetzstein, "Implicit neural representations with
        periodic activation functions" (2020), section 3.2. New biases are zero, but for the phases
        of the first layer, which are uniform.
    """
    units, depth, outputs = _whole(units=units, depth=depth, outputs=outputs)
    first_frequency = number("first_frequency", first_frequency, "(0, inf)")
    frequency = number("frequency", frequency, "(0, inf)")
    period = math.pi / first_frequency
    first = keras.layers.Dense(
        units,
        activation=_Sine(first_frequency),
        kernel_initializer=_UniformByInputs(),
        bias_initializer=keras.initializers.RandomUniform(-period, period),
        **kwargs,
    )
    uniform = keras.initializers.VarianceScaling(2 / frequency**2, "fan_in", "uniform")
    hidden = [
        keras.layers.Dense(
            units, activation=_Sine(frequency), kernel_initializer=another(uniform), **kwargs
        )
        for _ in range(depth - 1)
    ]
    return _sequential(embedding, [first, *hidden], outputs, uniform, _name(name, "siren"))


def RandomFeatures(
    units=1_000,
    outputs=1,
    activation="sin",
    scale=None,
    windows=None,
    seed=None,
    name=None,
    *,
    interactions=None,
    embedding=None,
    **kwargs,
):
    """Fixed random features and a linear output layer, which alone is trained.

    Where an equation is linear in the unknown function, its residuals are linear in what is
    trained, and `kpinn.optimizers.LevenbergMarquardt` ends after one step, a least-squares problem
    that is solved to rounding; where it is not, each step is one of Gauss and Newton. For smooth
    solutions, in float64: fronts and singularities need features that are trained, an `MLP`.

    Args:
        units: number of features, of each window; about the number of trained parameters.
        outputs: number of columns of the output.
        activation: `"sin"` or `"cos"`, or an activation of Keras such as `"tanh"`.
        scale: largest angular frequency along each coordinate, a number or a list; by default it
            is chosen by the first `fit`, see `kpinn.PINN.adapt`.
        windows: number of parts along each coordinate, each with features of its own.
        seed: of the random numbers; by default drawn.
        name: name of the model; by default one that no other model has.
        interactions: most coordinates that a feature depends on, for many coordinates: two if the
            solution is near a sum of functions of two of them; by default all.
        embedding: as in `MLP`; scales, windows and interactions are those of its columns.
        **kwargs: of both layers, such as `dtype`.

    Returns:
        A `keras.Sequential` from `(n, d)` to `(n, outputs)`, of a `kpinn.layers.RandomFeatures`
        and a `keras.layers.Dense` without bias, zero at first.

    Raises:
        ValueError: as `MLP`, and as `kpinn.layers.RandomFeatures`.

    Example:

        kpinn.set_float64()
        pinn = Wave(kpinn.networks.RandomFeatures(units=1_200))
        pinn.compile(kpinn.optimizers.LevenbergMarquardt())
        pinn.fit(points, epochs=10)  # ends after one

    References:
        Chen, Chi, E & Yang, "Bridging traditional and machine learning-based algorithms for
        solving PDEs: the random feature method" (2022); Dong & Li, "Local extreme learning
        machines and domain decomposition for solving linear and nonlinear partial differential
        equations" (2021).
    """
    outputs = positive_whole("outputs", outputs)
    given = units, activation, scale, windows, seed, interactions
    features = layers.RandomFeatures(*given, **kwargs)
    last = keras.layers.Dense(outputs, use_bias=False, kernel_initializer="zeros", **kwargs)
    found = [*_in_front(embedding, features.dtype_policy), features, last]
    return keras.Sequential(found, name=_name(name, "random_features"))


def Separable(
    units=20,
    depth=2,
    rank=10,
    outputs=1,
    activation="tanh",
    name=None,
    *,
    embedding=None,
    **kwargs,
):
    """A sum of products of functions of one coordinate each, for many coordinates.

    `u(x) = sum over r of c_r f_1r(x_1) ... f_dr(x_d)`, where a perceptron for each coordinate
    returns all its functions. For solutions that are near such sums; a Laplacian costs less than
    that of an `MLP` with as many parameters, see `kpinn.layers.Separable`.

    Args:
        units: units of each hidden layer of a perceptron.
        depth: number of hidden layers of a perceptron.
        rank: number of products, which all fields share.
        outputs: number of columns of the output.
        activation: activation of the hidden layers; smooth, for higher derivatives.
        name: name of the model; by default one that no other model has.
        embedding: as in `MLP`; each of its columns has a perceptron. One that mixes coordinates,
            such as `kpinn.layers.FourierFeatures`, leaves nothing separate.
        **kwargs: of the `kpinn.layers.Separable`, by default
            `kernel_initializer="glorot_normal"`; `dtype` and the initializer are those of the
            last layer too.

    Returns:
        A `keras.Sequential` from `(n, d)` to `(n, outputs)`.

    Raises:
        ValueError: as `MLP`.

    Example:

        unit = kpinn.layers.Rescale(0.0, 1.0)
        network = kpinn.networks.Separable(units=16, depth=2, rank=8, embedding=unit)
        pinn = kpinn.PINN(network, "x1 x2 x3 x4 x5", "u", conditions=[poisson, walls])

    References:
        Cho, Nam, Yang, Yun, Hong & Park, "Separable physics-informed neural networks" (2023);
        here each field is a linear function of the same products.
    """
    outputs = positive_whole("outputs", outputs)
    initializer = _initializer(kwargs)
    products = layers.Separable(units, depth, rank, activation, initializer, **kwargs)
    return _sequential(embedding, [products], outputs, initializer, _name(name, "separable"))


# Parts of networks -------------------------------------------------------------------------


def _whole(**sizes):
    return [positive_whole(*size) for size in sizes.items()]


def _hidden(dense, count, units, activation, initializer, kwargs):
    """Hidden layers of a class."""
    activation = of_keras("activation", keras.activations.get, activation)
    layers = [
        function("dense", dense, "keras.layers.Dense")(
            units, activation=activation, kernel_initializer=another(initializer), **kwargs
        )
        for _ in range(count)
    ]
    if not isinstance(layers[0], keras.layers.Layer):
        raise ValueError(f"dense makes {shown(layers[0])}: expected a class of Keras layers.")
    return layers


def _initializer(kwargs):
    """Takes the initializer of the kernels out of the arguments."""
    given = kwargs.pop("kernel_initializer", "glorot_normal")
    return of_keras("kernel_initializer", keras.initializers.get, given)


def _name(given, usual):
    """The name of a model: without one that of its kind, with a number from the second on."""
    if given is not None:
        return text("name", given, usual)
    number = keras.backend.get_uid(usual) - 1
    return f"{usual}_{number}" if number else usual


def _sequential(embedding, hidden, outputs, initializer, name):
    """The layers in front, the hidden ones and a linear last one."""
    policy = hidden[0].dtype_policy
    last = keras.layers.Dense(outputs, kernel_initializer=another(initializer), dtype=policy)
    return keras.Sequential([*_in_front(embedding, policy), *hidden, last], name=name)


def _in_front(embedding, policy):
    """The embedding as a list of layers."""
    layers = list(embedding) if isinstance(embedding, list | tuple) else [embedding]
    layers = [] if embedding is None else layers
    for layer in layers:
        if not isinstance(layer, keras.layers.Layer):
            raise ValueError(
                f"embedding has {layer!r}: expected a Keras layer, or a list of layers, such as "
                "kpinn.layers.PeriodicEmbedding([None, 2.0])."
            )
        if layer.compute_dtype != policy.compute_dtype:
            raise ValueError(
                f"embedding {layer.name!r} computes in {layer.compute_dtype}, and the hidden "
                f"layers in {policy.compute_dtype}: make both with the same dtype."
            )
    return layers


@keras.saving.register_keras_serializable(package="kpinn.networks", name="Sine")
class _Sine(FromConfig):
    """The activation `sin(frequency x)`."""

    def __init__(self, frequency):
        self.frequency = float(frequency)

    def __call__(self, x):
        return ops.sin(self.frequency * x)

    def get_config(self):
        return {"frequency": self.frequency}


@keras.saving.register_keras_serializable(package="kpinn.networks", name="UniformByInputs")
class _UniformByInputs(FromConfig, keras.initializers.RandomUniform):
    """Uniform between -1 and 1 over the number of inputs."""

    def __init__(self, minval=-1.0, maxval=1.0, seed=None):
        super().__init__(float(minval), float(maxval), seed)

    def __call__(self, shape, dtype=None):
        return super().__call__(shape, dtype) / shape[0]
