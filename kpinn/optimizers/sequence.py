"""Several optimizers one after the other in one `fit`."""

import dataclasses
from types import NoneType

import keras

from kpinn.options import positive_whole, shown
from kpinn.options.configs import FromConfig


@dataclasses.dataclass(frozen=True)
class Stage:
    """A pair of an optimizer and its epochs; no tuple, into which Keras looks when it saves."""

    optimizer: keras.optimizers.Optimizer
    epochs: int

    def __iter__(self):
        return iter((self.optimizer, self.epochs))


@keras.saving.register_keras_serializable(package="kpinn")
class Sequence(FromConfig, keras.optimizers.Optimizer):
    """Stages of a training: each optimizer works for a number of epochs, then the next begins.

    A stage that can go no further ends early; the next one begins with the same epoch as it would
    have. If `fit` is given more epochs than all stages have, the last stage goes on. The state of
    every stage is saved, so that a training is resumed in its stage.

    Args:
        stages: list of pairs `(optimizer, epochs)`, of any optimizers for `PINN.compile`.
        name: name of the optimizer.

    Raises:
        ValueError: for anything else than such pairs.

    Example:

        stages = [(keras.optimizers.Adam(1e-3), 2_000), (kpinn.optimizers.SSBroyden(), 3_000)]
        pinn.compile(kpinn.optimizers.Sequence(stages))
        pinn.fit(points, epochs=5_000)
    """

    inner = ("stages",)

    def __init__(self, stages, name="sequence"):
        if not isinstance(stages, list | tuple):
            raise ValueError(f"stages is a list of pairs (optimizer, epochs), not {shown(stages)}.")
        stages = [_stage(stage) for stage in stages]
        if not stages:
            raise ValueError("a sequence has at least one stage (optimizer, epochs).")
        if len({id(optimizer) for optimizer, _ in stages}) < len(stages):
            raise ValueError("an optimizer is given twice: each stage needs one of its own.")
        super().__init__(learning_rate=0.0, name=name)
        self.stages = stages
        self._number = 0  # no optimizer, and `present` no property: Keras would save it twice

    def present(self):
        """The optimizer of the stage that works now."""
        return self.stages[self._number].optimizer

    def enter(self, optimizer):
        """Begins the stage of an optimizer."""
        self._number = [stage.optimizer is optimizer for stage in self.stages].index(True)

    @property
    def learning_rate(self):
        """That of the present stage."""
        return self.present().learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.present().learning_rate = value

    @property
    def iterations(self):
        """Those of the present stage."""
        return self.present().iterations

    @property
    def result(self):
        """How the last stage ended that is not one of Keras's optimizers."""
        results = [getattr(optimizer, "result", None) for optimizer, _ in self.stages]
        return next((result for result in reversed(results) if result is not None), None)

    @property
    def variables(self):
        """Those of all stages."""
        return [variable for optimizer, _ in self.stages for variable in optimizer.variables]

    def build(self, variables):
        """Builds every stage."""
        if self.built:
            return
        super().build(variables)
        for optimizer, _ in self.stages:
            if not optimizer.built:
                optimizer.build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """The stages make the updates."""
        raise ValueError(
            "Sequence is driven by kpinn.PINN.fit with points given as arrays, which switches from "
            "stage to stage."
        )

    def get_config(self):
        """The arguments."""
        serialize = keras.optimizers.serialize
        stages = [[serialize(optimizer), epochs] for optimizer, epochs in self.stages]
        return {"stages": stages, "name": self.name}


def _stage(stage):
    try:
        optimizer, epochs = stage
        optimizer = keras.optimizers.get(optimizer)
        epochs = positive_whole("epochs", epochs)
        if isinstance(optimizer, Sequence | NoneType):
            raise ValueError(f"optimizer is {type(optimizer).__name__}")
    except (TypeError, ValueError) as error:
        raise ValueError(
            "stages are pairs (optimizer, epochs), such as (keras.optimizers.Adam(1e-3), 2_000), "
            f"not {shown(stage)} ({error})."
        ) from error
    return Stage(optimizer, epochs)
