"""Each test starts from the same seed and leaves the global settings as they were."""

import os
import signal

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest

from kpinn.derivatives.operations.table import TABLE


@pytest.fixture(autouse=True)
def reproducible():
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    rules = dict(TABLE)
    keras.utils.set_random_seed(0)
    yield
    TABLE.clear()
    TABLE.update(rules)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def interrupts():
    """Ctrl-C raises KeyboardInterrupt, in a process that was started without it too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
