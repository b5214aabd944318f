"""What the workers of a strategy tell each other beside gradients.

Each process runs the same script under a `tf.distribute.MultiWorkerMirroredStrategy`. Worker 0, the
chief, writes the files, and decides where chance or a clock would.
"""

import io
import json

import numpy as np
import tensorflow as tf

from kpinn.training.checkpoints import plain
from kpinn.training.checkpoints.holders import global_random_state, set_global_random_state
from kpinn.training.checkpoints.memory import digest


def worker_of(strategy):
    """The number of this worker, of which 0 is the chief, and how many there are.

    Args:
        strategy: a `tf.distribute.Strategy`; all but that of several workers have one.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 0, 1
    resolver = strategy.cluster_resolver
    cluster = resolver.cluster_spec()
    jobs = [job for job in ("chief", "worker") if job in cluster.jobs]
    members = [(job, index) for job in jobs for index in cluster.task_indices(job)]
    if len(members) < 2:
        return 0, 1
    return members.index((resolver.task_type, resolver.task_id)), len(members)


def is_chief(strategy):
    """Whether this process writes files."""
    return worker_of(strategy)[0] == 0


def told(strategy, value):
    """What the chief has, on all workers.

    Args:
        strategy: the strategy, under which all workers call this at the same place.
        value: a function without arguments that returns plain data; only the chief calls it.
    """
    number, count = worker_of(strategy)
    if count == 1:
        return value()
    data = packed(value()) if number == 0 else b""
    size = int(_sum(strategy, np.array([len(data)], np.int64))[0])
    words = np.zeros(-(-size // 8), np.int64)
    words.view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
    return unpacked(_sum(strategy, words).tobytes()[:size])


def number_of_chief(strategy, number):
    """A whole number of the chief, on all workers."""
    this, count = worker_of(strategy)
    return number if count == 1 else int(_sum(strategy, np.int64(0 if this else number)))


def same_chance(strategy):
    """Gives the global random generators the state that they have at the chief."""
    if worker_of(strategy)[1] > 1:
        set_global_random_state(told(strategy, global_random_state))


def check_same(strategy, **values):
    """Raises `ValueError`, on all workers, if one of them has something else than the chief.

    Args:
        strategy: the strategy, under which all workers call this at the same place.
        **values: plain data by what it is, with underscores for blanks.
    """
    number, count = worker_of(strategy)
    if count == 1:
        return
    chief = told(strategy, lambda: {name: digest(value) for name, value in values.items()})
    different = np.zeros((len(values), count), np.int64)
    for row, (name, value) in zip(different, values.items(), strict=True):
        row[number] = digest(value) != chief[name]
    for row, name in zip(_sum(strategy, different), values, strict=True):
        if row.any():
            workers = ", ".join(str(each) for each in np.flatnonzero(row))
            raise ValueError(
                f"worker {workers} was given other {name.replace('_', ' ')} than worker 0: each "
                "worker runs the whole script, which has to compute the same in each. Draw with "
                "a seed, or call keras.utils.set_random_seed first."
            )


def _sum(strategy, array):
    """The sum of an array over all workers."""
    return strategy.reduce("SUM", tf.constant(array), axis=None).numpy()


def packed(value):
    """Plain data as bytes."""
    arrays, buffer = [], io.BytesIO()
    text = json.dumps(plain.encode(value, arrays), allow_nan=False)
    listed = {str(number): array for number, array in enumerate(arrays)}
    np.savez(buffer, text=np.array(text), **listed)
    return buffer.getvalue()


def unpacked(data):
    """The inverse of `packed`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        arrays = [found[str(number)] for number in range(len(found.files) - 1)]
        return plain.decode(json.loads(str(found["text"])), arrays)
