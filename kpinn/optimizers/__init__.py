"""Optimizers for `PINN.compile`, and the parameters as one flat vector."""

from kpinn.optimizers.flat import destructure as destructure
from kpinn.optimizers.least_squares.levenberg_marquardt import (
    LevenbergMarquardt as LevenbergMarquardt,
)
from kpinn.optimizers.least_squares.spring import SPRING as SPRING
from kpinn.optimizers.quasi_newton.methods import BFGS as BFGS
from kpinn.optimizers.quasi_newton.methods import LBFGS as LBFGS
from kpinn.optimizers.quasi_newton.methods import SSBroyden as SSBroyden
from kpinn.optimizers.result import MinimizeResult as MinimizeResult
from kpinn.optimizers.result import ResultCode as ResultCode
from kpinn.optimizers.scipy.minimize import ScipyMinimize as ScipyMinimize
from kpinn.optimizers.sequence import Sequence as Sequence
