"""Each test starts from the same seed and leaves the global settings as they were.

XLA compiles only where that is what a test is about: compiling takes longer than most trainings.
"""

import gc
import os
import pathlib
import signal

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
import tensorflow as tf

from kpinn.backend import devices
from kpinn.derivatives.operations.table import TABLE

tf.random.set_seed(0)
gc.freeze()  # the million objects of the imports above are not looked through again and again


SLOW = pathlib.Path(__file__).with_name("slow_cases.txt").read_text(encoding="utf8").splitlines()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks the cases of `slow_cases.txt`: quicker ones of their tables, or tests, stay."""
    for item in items:
        if item.nodeid in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def reproducible(monkeypatch):
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    rules = dict(TABLE)
    # Setting TensorFlow's own seed again would empty its cache of kernels, and with it what was
    # prepared of all functions that tests of a module share: seconds for each test. Keras's layers
    # and kpinn draw from seeds of Keras and numpy.
    monkeypatch.setattr(tf.random, "set_seed", lambda seed: None)
    keras.utils.set_random_seed(0)
    yield
    TABLE.clear()
    TABLE.update(rules)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture(autouse=True)
def without_xla(request, monkeypatch):
    """`compile(jit_compile="auto")` leaves XLA out, except in a test with `@pytest.mark.xla`."""
    if request.node.get_closest_marker("xla") is None:
        monkeypatch.setattr("kpinn.pinn.may_use_xla", lambda pinn: False)


@pytest.fixture
def interrupts():
    """Ctrl-C raises KeyboardInterrupt, in a process that was started without it too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["host", "device"])
def factorised_on(request, monkeypatch):
    """Where matrices of least squares are factorised; "device" is as where there is a GPU."""
    if request.param == "device":
        gpu = devices.Device("GPU", "a card", (7, 0))
        monkeypatch.setattr(devices, "accelerators", lambda: [gpu])
    return request.param
