"""How a training ended."""

import dataclasses
import enum

import numpy as np


class ResultCode(enum.StrEnum):
    """How a training ended; each code equals its text, `result.code == "converged"`."""

    CONVERGED = "converged"
    """scipy's tolerances are met; they are off or at the rounding error unless you give some."""

    ITERATION_LIMIT = "iteration_limit"
    """All epochs, or the iterations that the options allow, are done."""

    EVALUATION_LIMIT = "evaluation_limit"
    """The evaluations that the options allow are done."""

    NO_PROGRESS = "no_progress"
    """No step lowers the loss any more, usually for rounding, or scipy gave up: see the message."""

    STOPPED = "stopped"
    """A callback stopped it."""

    INTERRUPTED = "interrupted"
    """An exception ended it, Ctrl-C for example, and was passed on."""

    NONFINITE = "nonfinite"
    """The loss or one of its derivatives was not finite, and the weights are those before."""


@dataclasses.dataclass(frozen=True)
class MinimizeResult:
    """How a training ended.

    Attributes:
        code: a `ResultCode`.
        message: the same in a sentence, with scipy's message.
        loss: the lowest loss, that of the weights which the model has now; with an optimizer of
            Keras the last loss in the logs that is finite.
        iterations: accepted iterations; with an optimizer of Keras its steps.
        evaluations: evaluations of the loss.
        theta: the flat parameters with this loss, float64 `(p,)`; `None` with an optimizer of
            Keras.
    """

    code: ResultCode
    message: str
    loss: float
    iterations: int
    evaluations: int
    theta: np.ndarray | None = dataclasses.field(default=None, repr=False)
