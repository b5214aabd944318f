"""Figures of a trained model: fields, training histories and residuals.

Every function returns a `matplotlib.figure.Figure`, which needs neither a display nor pyplot's
global state, and saves it if a `path` is given. Domains themselves are drawn by their method
`plot`. Matplotlib comes with `pip install kpinn[plot]`.
"""

from kpinn.plotting.figures import field as field
from kpinn.plotting.figures import history as history
from kpinn.plotting.figures import residual as residual
