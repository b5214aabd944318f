"""Names: of shapes in a combination, and of parts of a boundary."""

import dataclasses

from kpinn.domains.composing.geometry import geometry_of
from kpinn.domains.parts import Part
from kpinn.domains.points import drawing, pieces


def named(domain, name):
    """The domain, whose boundary has a name; as a `Geometry`."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"named() takes a name, such as 'cylinder', got {name!r}.")
    _check_free(domain, name)
    return dataclasses.replace(
        geometry_of(domain),
        text=f"{domain}.named({name!r})",
        border=tuple(patch.with_tag(name) for patch in domain.border),
        given_names=(*domain.given_names, name),
    )


def with_parts(domain, parts):
    """The domain, parts of whose boundary have names; as a `Geometry`.

    A point of several parts belongs to the one that was named first.

    Args:
        domain: `Domain`.
        parts: `{name: Part}`.

    Raises:
        ValueError: if a name is taken, a part is not one of the boundary of the domain, or all
            of it belongs to parts named before.
    """
    if not parts:
        raise ValueError("with_parts() takes parts by name, as in with_parts(inlet=box.face(x=0)).")
    border = domain.border
    for name, part in parts.items():
        _check_free(domain, name)
        if not isinstance(part, Part):
            raise TypeError(
                f"{name} of with_parts() is a part, such as face(x=0) or boundary('y'), "
                f"got {part!r}."
            )
        strange = [p for p in part.patches if not any(p.place is q.place for q in domain.border)]
        if strange:
            raise ValueError(
                f"{name}={part} is not a part of the boundary of {domain} in space. Other parts, "
                "such as a face of time or a section, are drawn from without a name."
            )
        border = tuple(piece for patch in border for piece in _split(patch, part, name))
        drawing.check_not_empty(
            [piece for piece in border if name in piece.tags],
            f"{name}={part} without the parts that were named before",
        )
    return dataclasses.replace(
        geometry_of(domain), border=border, given_names=(*domain.given_names, *parts)
    )


def _split(patch, part, name):
    """The pieces of a patch that a part has, with its name, and what it has not."""
    if patch.part is not None:
        return [patch]
    own = [piece for piece in part.patches if piece.place is patch.place]
    named = [pieces.within(patch, piece).as_part(name) for piece in own]
    rest = pieces.without(patch, own)
    return named if rest is None else [*named, rest]


def _check_free(domain, name):
    tags = {tag for patch in (*domain.border, *domain.end_patches()) for tag in patch.tags}
    if name in tags or name in domain.coordinates or name in domain.given_names:
        raise ValueError(
            f"{domain} has a part or coordinate {name!r} already. Choose another name."
        )
