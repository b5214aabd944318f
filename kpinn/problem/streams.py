"""Datasets and generators of points, and points as a dataset, for Keras's own loops."""

import warnings

import keras
import tensorflow as tf

from kpinn.derivatives import PrecisionWarning
from kpinn.problem.points import Data


def is_stream(x):
    """Whether `x` yields batches, rather than being arrays."""
    kinds = tf.data.Dataset | tf.distribute.DistributedDataset | keras.utils.PyDataset
    return isinstance(x, kinds) or hasattr(x, "__next__")


def first_element(stream):
    """The first batch as `(points, targets, sample_weight)`; `None` if reading would use it up."""
    if isinstance(stream, tf.data.Dataset):
        element = next(iter(stream.take(1)), None)
        if element is None:
            raise ValueError("the dataset of points is empty.")
    elif isinstance(stream, keras.utils.PyDataset):
        element = stream[0]
        if not all(hasattr(leaf, "shape") for leaf in tf.nest.flatten(element)):
            raise ValueError(
                f"x: {type(stream).__name__} yields lists or numbers, of which Keras makes no "
                "batch: make them arrays."
            )
    else:
        return None
    parts = keras.utils.unpack_x_y_sample_weight(element)
    return tuple(None if isinstance(part, dict) and not part else part for part in parts)


def warn_of_lost_digits(problem, element):
    """Warns of batches with fewer digits than the model computes with."""
    kinds = {getattr(leaf, "dtype", None) for leaf in tf.nest.flatten(element)}
    if problem.dtype == tf.float64 and tf.float32 in kinds:
        warnings.warn(
            "the dataset has float32 numbers, and the model computes in float64: what they had "
            "beyond seven digits was lost when the dataset was made. Make it of float64 arrays; "
            "of lists TensorFlow makes float32.",
            PrecisionWarning,
            stacklevel=2,
        )


def as_data(batch):
    """A batch of Keras, `points` or a tuple with targets and sample weights, as a `Data`."""
    if isinstance(batch, Data):
        return batch
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    return Data(x, y or {}, sample_weight or {})


def as_dataset(data, batch_size=None, repeat=True):
    """A `tf.data.Dataset` of full batches, for Keras's own loops."""
    if batch_size is not None:
        raise ValueError(
            "batch_size with arrays needs kpinn's own train_step: pass a tf.data.Dataset of "
            "batches instead."
        )
    dataset = tf.data.Dataset.from_tensors(data.parts)
    return dataset.repeat() if repeat else dataset
