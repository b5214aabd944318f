"""The loop of `evaluate`, and batches of datasets and generators, which are divided.

Keras would give each replica a part of a batch, or another batch, and expects equal ones. Here
every worker reads the whole batch, and each replica takes its rows.
"""

import itertools

import keras
import numpy as np
import tensorflow as tf

from kpinn.problem.points import Data
from kpinn.problem.streams import as_data
from kpinn.training.replicas.steps import test_step
from kpinn.training.state import state_of


def evaluate(pinn, stream, steps=None, callbacks=None, verbose=0, return_dict=False):
    """Losses on batches, as `keras.Model.evaluate` returns them."""
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = keras.callbacks.CallbackList(
            callbacks, add_progbar=verbose not in (0, "auto"), verbose=verbose, model=pinn
        )
    pinn.stop_evaluating, logs = False, {}
    callbacks.on_test_begin()
    pinn.reset_metrics()
    for step, batch in enumerate(Batches(pinn, stream, steps).of_epoch()):
        callbacks.on_test_batch_begin(step)
        compiled = state_of(pinn).compiled
        function = compiled("test of a step", lambda data: test_step(pinn, data))
        logs = {name: float(value) for name, value in function(batch).items()}
        callbacks.on_test_batch_end(step, logs)
        if pinn.stop_evaluating:
            break
    callbacks.on_test_end(logs)
    if return_dict:
        return logs
    order = [metric.name for metric in pinn.metrics if metric.name in logs]
    values = [logs[name] for name in (*order, *sorted(logs.keys() - set(order)))]
    return values[0] if len(values) == 1 else values


def predict(pinn, stream, steps=None):
    """Residuals on batches, one after the other, as `PINN.predict` returns them."""
    found = [pinn.residuals(batch.points) for batch in Batches(pinn, stream, steps).of_epoch()]
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


class Batches:
    """The batches of a dataset or generator, each as a `Data` in the dtype of the PINN.

    Args:
        pinn: the `PINN`.
        stream: a `tf.data.Dataset`, a `keras.utils.PyDataset`, an iterator, or a list.
        count: number of batches in an epoch, by default all.
        shuffle: what shuffles a list of the numbers of those of a `PyDataset`, or `None`.
    """

    def __init__(self, pinn, stream, count=None, shuffle=None):
        self.stream, self.count, self.shuffle = stream, count, shuffle
        self._dtype, self._rest = pinn.problem.dtype, None

    def of_epoch(self):
        """Yields the batches of an epoch; with a `count` the next epoch goes on with the rest."""
        if self.count is None:
            yield from map(self._data, self._again())
            return
        for _ in range(self.count):
            batch = self._next()
            if batch is None:
                return
            yield self._data(batch)

    def _next(self):
        for _ in range(2):
            if self._rest is None:
                self._rest = iter(self._again())
            batch = next(self._rest, None)
            if batch is not None:
                return batch
            self._rest = None
        return None

    def _again(self):
        if not isinstance(self.stream, keras.utils.PyDataset):
            return self.stream
        self.stream.on_epoch_begin()
        count = self.stream.num_batches
        numbers = itertools.count() if count is None else list(range(count))
        if self.shuffle is not None and count is not None:
            self.shuffle(numbers)
        return self._of_numbers(numbers)

    def _of_numbers(self, numbers):
        for number in numbers:
            yield self.stream[number]
        self.stream.on_epoch_end()

    def _data(self, batch):
        found = as_data(batch)

        def tensor(array):
            return tf.cast(tf.convert_to_tensor(array), self._dtype)

        return Data(*(tf.nest.map_structure(tensor, part) for part in found.parts))
