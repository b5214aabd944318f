"""What happens, and is said, where Taylor coefficients cannot go through an operation."""

import warnings

from kpinn.derivatives.errors import DerivativeFallbackWarning
from kpinn.derivatives.graphs.tracing import TraceError


def by_tapes(compute, error, reports, strict):
    """What is computed in place of a propagation that ended, with a warning.

    Args:
        compute: `() -> values`, by nested gradient tapes.
        error: the `UnsupportedError` or `TraceError` that ended it.
        reports: descriptions of the operations without a rule before it.
        strict: whether to raise an error in its place.

    Raises:
        ValueError: with `strict`, or where tapes cannot go through either.
    """
    advice = _advice([*reports, str(error)], isinstance(error, TraceError))
    if strict:
        raise ValueError(advice) from error
    try:
        values = compute()
    except LookupError as missing:
        raise ValueError(
            f"{advice} TensorFlow has no gradient to use in its place ({missing}): add a rule, "
            "or use method='finite_difference'."
        ) from missing
    message = f"{advice} All derivatives are computed by nested gradient tapes, which is slower."
    warnings.warn(message, DerivativeFallbackWarning, stacklevel=4)
    return values


def report_slow(reports, strict):
    """Warns of operations without a rule that were passed by TensorFlow's gradients."""
    if strict:
        raise ValueError(_advice(reports))
    message = (
        f"{_advice(reports)} Until then its derivatives are computed by TensorFlow's gradients "
        "of it, which is slower."
    )
    warnings.warn(message, DerivativeFallbackWarning, stacklevel=4)


def _advice(reports, is_trace=False):
    what = f"Taylor coefficients cannot be propagated: {'; '.join(dict.fromkeys(reports))}."
    return what if is_trace else f"{what} kpinn.derivatives.register adds a rule for an operation."
