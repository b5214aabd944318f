"""What to say of names such as `u_q` that mean nothing over given coordinates and fields."""


def no_meaning(name, space, operators):
    """The error for a name that is neither a field nor a derivative of one."""
    field, coordinate = next(iter(space.fields), "u"), next(iter(space.coordinates))
    joint = "" if len(coordinate) == 1 else "_"
    return ValueError(
        f"{name!r} is neither a field nor a derivative of one. There are {space.describe()}; "
        f"derivatives are named like '{field}_{coordinate}' or "
        f"'{field}_{coordinate}{joint}{coordinate}', operators are "
        f"{', '.join(f'{operator}_' for operator in operators)} before a field."
    )


def no_axis(name, part, directions, space):
    """The error for a part of a name that is made of no coordinates and no directions."""
    listed = f"; directions: {', '.join(directions)}" if directions else ""
    return ValueError(
        f"{name!r} asks for a derivative with respect to {part!r}, which is not made of "
        f"coordinates{' or directions' if directions else ''}. There are "
        f"{space.describe()}{listed}."
    )


def no_number(name, size, is_parameter):
    """The error for a derivative with respect to a coordinate with several components."""
    if is_parameter:
        return ValueError(
            f"{name!r}: the parameter has {size} components, so that a derivative with respect to "
            "it is not one number: name them, parameters='a b', or ask for a direction."
        )
    return ValueError(
        f"{name!r}: the coordinate has {size} components, so that a derivative "
        "with respect to it is not one number: ask for grad_, laplacian_ or a direction. "
        "If it is a direction itself, name the coordinates: coordinates='x y'."
    )
