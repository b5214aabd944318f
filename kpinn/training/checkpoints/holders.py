"""Objects with a state: random generators, variables, and whatever has `get_state`, `set_state`."""

import random
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kpinn.backend.keras_private import (
    existing_global_seed_generator,
    forget_global_seed_generator,
    global_seed_generator,
)
from kpinn.training.tensorflow_private import (
    eager_generator,
    existing_global_generator,
    forget_global_generator,
    set_eager_generator,
)


class Holder(NamedTuple):
    """How the state of an object is got as plain data, and set."""

    get: Callable
    set: Callable


def holder(value):
    """The `Holder` of an object, or `None`."""
    if isinstance(value, np.random.Generator):
        value = value.bit_generator
    if isinstance(value, np.random.BitGenerator):
        return Holder(lambda: value.state, lambda state: setattr(value, "state", state))
    if isinstance(value, random.Random):
        return Holder(value.getstate, value.setstate)
    if isinstance(value, keras.random.SeedGenerator | tf.random.Generator):
        value = value.state
    if isinstance(value, keras.Variable | tf.Variable):
        return Holder(lambda: np.asarray(value), value.assign)
    if callable(getattr(value, "get_state", None)) and callable(getattr(value, "set_state", None)):
        return None if isinstance(value, type) else Holder(value.get_state, value.set_state)
    return None


def global_random_state():
    """The state of the generators of random numbers that belong to no object, a dict."""
    found = {"python": random.getstate(), "numpy": np.random.get_state()}
    others = {
        "keras": existing_global_seed_generator(),
        "tensorflow": existing_global_generator(),
        "tensorflow eager": eager_generator(),
    }
    return found | {n: None if g is None else holder(g).get() for n, g in others.items()}


def set_global_random_state(state):
    """Sets what `global_random_state` returned; generators that there were not are forgotten."""
    if state["keras"] is None:
        forget_global_seed_generator()
    else:
        holder(global_seed_generator()).set(state["keras"])
    if state["tensorflow"] is None:
        forget_global_generator()
    else:
        holder(tf.random.get_global_generator()).set(state["tensorflow"])
    eager, present = state["tensorflow eager"], eager_generator()
    if eager is not None and (present is None or present.getstate() != eager):
        set_eager_generator(random.Random())
        eager_generator().setstate(eager)
    random.setstate(state["python"])  # after the others, whose making draws from it
    np.random.set_state(state["numpy"])
