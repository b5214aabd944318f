"""How a `fit` ended, for all optimizers in the same words."""

import contextlib
import math

from kpinn.optimizers.flat_optimizer import MESSAGES
from kpinn.optimizers.result import MinimizeResult, ResultCode
from kpinn.optimizers.stages import current
from kpinn.training.state import state_of

QUIET = (ResultCode.ITERATION_LIMIT,)  # which is not worth a line


@contextlib.contextmanager
def reported(pinn, verbose):
    """Sets `pinn.result` when a `fit` has ended, whatever way, and prints it if it says more.

    Args:
        pinn: the `PINN`.
        verbose: as in Keras.
    """
    state = state_of(pinn)
    state.result = state.failure = None
    before = int(current(pinn.optimizer).iterations.numpy())
    try:
        yield
    except BaseException:
        if state.loop is not None:  # a refusal before the first step is no end
            state.result = _result(pinn, ResultCode.INTERRUPTED, before)
        raise
    finally:
        state.loop = None
    code = ResultCode.STOPPED if pinn.stop_training else ResultCode.ITERATION_LIMIT
    state.result = _result(pinn, code, before)
    if verbose and state.result.code not in QUIET:
        print(state.result.message)


def _result(pinn, code, before):
    """The optimizer's own result, or that of an optimizer of Keras."""
    optimizer, failure = current(pinn.optimizer), state_of(pinn).failure
    own = getattr(optimizer, "result", None)
    if own is not None:
        return own
    code = ResultCode.NONFINITE if failure else code
    steps = int(optimizer.iterations.numpy())
    steps -= before if optimizer is pinn.optimizer else 0
    message = f"{type(optimizer).__name__} ended after {steps} steps: {MESSAGES[code]}."
    history = getattr(pinn, "history", None)
    losses = history.history.get("loss", []) if history is not None else []
    finite = [float(loss) for loss in losses if math.isfinite(loss)]
    loss = finite[-1] if finite else state_of(pinn).start_loss
    return MinimizeResult(code, f"{message} {failure or ''}".strip(), loss, steps, steps)
