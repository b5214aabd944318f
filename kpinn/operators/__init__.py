"""Vector calculus for conditions: plain functions of fields and their derivatives."""

from kpinn.operators.cartesian import advection as advection
from kpinn.operators.cartesian import strain as strain
from kpinn.operators.cartesian import tensor as tensor
from kpinn.operators.cartesian import tensor_divergence as tensor_divergence
from kpinn.operators.cartesian import traction as traction
from kpinn.operators.curvilinear import Cylindrical as Cylindrical
from kpinn.operators.curvilinear import Spherical as Spherical
from kpinn.operators.fractional import caputo as caputo
from kpinn.operators.fractional import caputo_l1 as caputo_l1
from kpinn.operators.fractional import gruenwald_letnikov as gruenwald_letnikov
from kpinn.operators.weak import WeakForm as WeakForm
