"""Pictures of a PINN: fields, residuals, points, trainings, errors, unknowns and films.

Every function draws into matplotlib `axes` if they are given, else into those of a new figure, and
returns them; `axes.figure.savefig` saves, as `path` does. A new figure needs neither a display nor
pyplot, and looks the same whatever `matplotlib.rcParams` say. Domains themselves are drawn by their
method `plot`. Matplotlib comes with `pip install kpinn[plot]`.
"""

from kpinn.plotting.animations import animation as animation
from kpinn.plotting.bodies import slices as slices
from kpinn.plotting.bodies import surface as surface
from kpinn.plotting.errors import error as error
from kpinn.plotting.errors import unknowns as unknowns
from kpinn.plotting.fields import field as field
from kpinn.plotting.fields import residual as residual
from kpinn.plotting.histories import history as history
from kpinn.plotting.scatter import points as points
