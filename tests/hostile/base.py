"""Good files, from which bad ones are made, and what a bad one is."""

import dataclasses
import json
import pathlib
import typing
import zipfile

import keras

import kpinn

KPINN, BOTH, WEIGHTS, EXPORT = ("kpinn",), ("keras", "kpinn"), ("weights",), ("export",)


@keras.saving.register_keras_serializable(package="hostile")
def decay(u, u_x):
    return u_x + u


@dataclasses.dataclass
class Base:
    """Good files, from which bad ones are made.

    Attributes:
        folder: where they are.
        canary: a file that must not appear.
        secret: a file that must not be read.
        config: the config of a PINN.
        weights: bytes of its `.weights.h5`.
    """

    folder: pathlib.Path
    canary: pathlib.Path
    secret: pathlib.Path
    config: dict
    weights: bytes

    @property
    def export(self):
        """The folder of a good export."""
        return self.folder / "export"


class File(typing.NamedTuple):
    """A hostile file."""

    name: str
    stands_for: str
    loaders: tuple
    make: typing.Callable


def make_base(folder, outside):
    """Writes the good files.

    Args:
        folder: a `pathlib.Path` for them.
        outside: another folder, for the canary and the secret.
    """
    secret = outside / "secret.txt"
    secret.write_text("secret\n")
    network = kpinn.networks.MLP(units=3, depth=1)
    pinn = kpinn.PINN(network, "x", "u", conditions=[decay])
    pinn.compile("adam", loss_weights={"decay": 2.0})
    pinn.save(folder / "good.keras")
    pinn.export(folder / "export")
    with zipfile.ZipFile(folder / "good.keras") as archive:
        config = json.loads(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
    return Base(folder, outside / "canary", secret, config, weights)


def group(stands_for, loaders, makers):
    """A list of `File`, from a dict from name to maker."""
    return [File(name, stands_for, loaders, make) for name, make in makers.items()]
