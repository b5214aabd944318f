"""Which patches a picture shows, by the names of the parts that they belong to."""

import re

import numpy as np

from kpinn.domains.plots.restrictions import restricted
from kpinn.options import number

REST = "boundary"  # of patches without a name
NUMBERED = re.compile(r"(.* )?(edge|facet) \d+")  # names that say no more than their number


def of_domain(domain, fixed):
    """The boundary of a domain, or its points if it is a surface, `{label: patches}`."""
    if domain.is_surface:
        return {"points": _at(domain, domain.inside, fixed, str(domain))}
    return _by_label(domain, _at(domain, domain.border, fixed, str(domain)))


def of_part(part, fixed):
    """The patches of a part at fixed values, `{label: patches}`."""
    return labelled(part, _at(part.domain, part.patches, fixed, str(part)))


def labelled(part, patches):
    """Patches of a part, `{label: patches}`; under one label if it was asked for by a name."""
    if len(part.names) == 1:
        return {part.names[0]: patches}
    return _by_label(part.domain, patches)


def inside(domain, fixed):
    """The patches of the inside of a domain."""
    return _at(domain, domain.inside, fixed, str(domain))


def check_fixed(domain, fixed):
    """`{axis: value}` of time and parameters, all of which are to be fixed.

    Raises:
        TypeError, ValueError: if they are not.
    """
    fixed = {} if fixed is None else fixed
    if not isinstance(fixed, dict):
        raise TypeError(f"`fixed` must be a dict such as {{'t': 0.5}}, got {fixed!r}.")
    others = [name for name in domain.coordinates if name not in domain.spatial]
    if strange := [name for name in fixed if name not in others]:
        raise ValueError(
            f"A picture of {domain} is at fixed time and parameters, {tuple(others)}, not "
            f"{strange}. kpinn.plotting.field draws slices in space."
        )
    return {
        axis: value
        for name, given in fixed.items()
        for axis, value in zip(domain.axes[name], _values(domain, name, given), strict=True)
    }


def _values(domain, name, given):
    width = domain.frame.sizes[name]
    if np.size(given) != width:
        raise ValueError(f"fixed[{name!r}] needs {width} number(s), got {given!r}.")
    return [number(f"fixed[{name!r}]", value) for value in np.ravel(given).tolist()]


def _at(domain, patches, fixed, what):
    axes = check_fixed(domain, fixed)
    for axis in domain.frame.other_axes:
        if axis not in axes and not all(axis in patch.fixed for patch in patches):
            name = domain.frame.name(axis)
            raise ValueError(
                f"A picture of {what} is at one {name}. Fix it: fixed={{{name!r}: 0}}."
            )
    return restricted(patches, axes, what) if axes else list(patches)


def _by_label(domain, patches):
    names = {}
    for patch in domain.border:
        for tag in patch.tags:
            names[tag] = names.get(tag, 0) + 1
    found = {}
    for patch in patches:
        found.setdefault(_label(patch, names, domain.given_names), []).append(patch)
    return found


def _label(patch, counts, given):
    """The most telling name of a patch: of `with_parts`, else what the fewest patches have."""
    telling = [tag for tag in sorted(patch.tags) if not NUMBERED.fullmatch(tag)]
    ranked = [(counts.get(tag, 0), tag not in given, tag) for tag in telling]
    return patch.part or min(ranked, default=(REST,))[-1]
