"""A layer whose derivative is wrong, and how that is found before it is trained.

Shows: `kpinn.check_derivatives` on a network with a layer of one's own. Its gradient is written by
hand and has lost a factor: values are right, derivatives by gradient tapes are not, while those of
kpinn do not go through it. The report names the layer, and is quiet about the same one without the
mistake.
Kind: tools, networks.
Expected: wrong verdicts below 1, about 10 seconds; warnings name `swish` where it is wrong.

Run: python examples/check_a_layer.py [--short]
"""

import quiet
import keras
import numpy as np
import tensorflow as tf

import kpinn

keras.utils.set_random_seed(0)


class Swish(keras.layers.Layer):
    """x sigmoid(x) with a gradient by hand."""

    def __init__(self, is_right):
        super().__init__()
        self.is_right = is_right

    def call(self, inputs):
        @tf.custom_gradient
        def swish(x):
            s = tf.sigmoid(x)
            slope = s + x * s * (1.0 - s) if self.is_right else s + x * s
            return x * s, lambda upstream: upstream * slope

        return swish(inputs)


count = 10 if quiet.SHORT else 100
points = {"x": np.random.default_rng(0).uniform(-1.0, 1.0, count)}
wrong = 0
for is_right in (False, True):
    network = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(10), Swish(is_right), keras.layers.Dense(1)]
    )
    report = kpinn.check_derivatives(network, points, "u_x, u_xx")
    print(f"{len(report.findings)} findings", *report.findings[:1], sep="\n")
    wrong += bool(report.findings) == is_right
print(f"wrong verdicts: {wrong}")
