"""The ladder of accuracy problems: each is one function that returns a `Problem`.

The solution of a problem stands in `exact` alone, which measures the error after training.
Conditions, networks and points are made of what the problem states. What can hold by the form of
the network does; equations are divided by the size of their largest term.
"""

from .dispersive import (
    kdv_zabusky_kruskal,
    kuramoto_sivashinsky,
    kuramoto_sivashinsky_short,
    nls,
    nls_wide,
)
from .fluids import beltrami, cavity, cavity_400, cavity_1000, cavity_parabolic, kovasznay
from .inverse import inverse_burgers, inverse_burgers_noise, inverse_field
from .linear import (
    damped_oscillator,
    half_waves,
    helmholtz,
    helmholtz_10,
    helmholtz_100,
    laplace_10d,
    poisson_1d,
    poisson_5d,
    wave,
)
from .nonlinear import allen_cahn, burgers, burgers_sharp, nonlinear_poisson, two_solitons
from .shocks import buckley_leverett, buckley_leverett_potential, buckley_leverett_viscous

PROBLEMS = {
    function.__name__: function
    for function in (
        poisson_1d,
        damped_oscillator,
        helmholtz,
        half_waves,
        helmholtz_10,
        helmholtz_100,
        burgers,
        burgers_sharp,
        wave,
        kovasznay,
        allen_cahn,
        two_solitons,
        kdv_zabusky_kruskal,
        kuramoto_sivashinsky,
        kuramoto_sivashinsky_short,
        nls,
        nls_wide,
        nonlinear_poisson,
        inverse_burgers,
        inverse_burgers_noise,
        inverse_field,
        poisson_5d,
        laplace_10d,
        cavity,
        cavity_400,
        cavity_1000,
        cavity_parabolic,
        beltrami,
        buckley_leverett,
        buckley_leverett_viscous,
        buckley_leverett_potential,
    )
}
