"""Pictures of a trained model: fields, residuals and training histories.

Every function draws into matplotlib `axes` if they are given, else into those of a new figure, and
returns them; `axes.figure.savefig` saves, as `path` does. A new figure needs neither a display nor
pyplot, and looks the same whatever `matplotlib.rcParams` say. Domains themselves are drawn by their
method `plot`. Matplotlib comes with `pip install kpinn[plot]`.
"""

from kpinn.plotting.fields import field as field
from kpinn.plotting.fields import residual as residual
from kpinn.plotting.histories import history as history
