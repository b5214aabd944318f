"""Optimizers for `PINN.compile`, and the parameters as one flat vector."""

from kpinn.optimizers.flat import destructure as destructure
from kpinn.optimizers.scipy_minimize import MinimizeResult as MinimizeResult
from kpinn.optimizers.scipy_minimize import ScipyMinimize as ScipyMinimize
