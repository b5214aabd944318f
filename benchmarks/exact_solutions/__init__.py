"""Exact and reference solutions of the problems in `accuracy_problems`, in numpy.

All of them are computed here: closed forms, the Cole-Hopf transformation, a Fourier method
(periodic equations), a Chebyshev method (cavity), Welge's tangent (shock). Nothing is read from
files: several published files of reference solutions are less accurate than the errors that are
quoted against them.
"""

from .closed_forms import (
    beltrami,
    damped_oscillator,
    half_waves,
    helmholtz,
    inverse_field,
    inverse_field_source,
    kovasznay,
    laplace_10d,
    nonlinear_poisson,
    poisson_1d,
    poisson_5d,
    two_solitons,
    two_solitons_slope,
    wave,
)
from .cole_hopf import burgers
from .entropy import buckley_leverett
from .fourier import allen_cahn, kdv, kuramoto_sivashinsky, nls
from .lid_driven import cavity, parabolic_lid, regularised_lid

__all__ = [
    "allen_cahn",
    "beltrami",
    "buckley_leverett",
    "burgers",
    "cavity",
    "damped_oscillator",
    "half_waves",
    "helmholtz",
    "inverse_field",
    "inverse_field_source",
    "kdv",
    "kovasznay",
    "kuramoto_sivashinsky",
    "laplace_10d",
    "nls",
    "nonlinear_poisson",
    "parabolic_lid",
    "poisson_1d",
    "poisson_5d",
    "regularised_lid",
    "two_solitons",
    "two_solitons_slope",
    "wave",
]
