"""The devices beside the CPU that TensorFlow computes on."""

import typing

import tensorflow as tf

KINDS = ("GPU", "TPU")


class Device(typing.NamedTuple):
    """A device.

    Attributes:
        kind: `"GPU"` or `"TPU"`.
        name: what its maker calls it.
        capability: of a GPU of NVIDIA the version of what it can do, such as `(8, 0)`, else `None`.
    """

    kind: str
    name: str
    capability: tuple | None = None


def accelerators():
    """The visible devices that are no CPU, a list of `Device`."""
    found = [device for device in tf.config.get_visible_devices() if device.device_type in KINDS]
    return [_described(device) for device in found]


def _described(device):
    details = tf.config.experimental.get_device_details(device)
    name = details.get("device_name", device.name)
    return Device(device.device_type, name, details.get("compute_capability"))
