"""Names: tables of what each means, and of what each misuse is told."""

import pytest

from kpinn.derivatives.names.declarations import declare, split_names
from kpinn.derivatives.names.parsing import parse
from kpinn.derivatives.names.requests import partials
from kpinn.derivatives.names.space import Space

PLANE = Space("t x y", "u v[2] u_star")
SPACE3 = Space("time x y z", "u w[3]")
VECTOR = Space("t x[3]", "u w[3]")
LONG = Space("t x1 x2 theta", "u p_1")
ODE = Space("t", "u")


@pytest.mark.parametrize(
    "names, expected",
    [
        ("u, u_x,u_xx", ("u", "u_x", "u_xx")),
        ("  u u_x\n u_xx ", ("u", "u_x", "u_xx")),
        (["u", "u_x"], ("u", "u_x")),
        ("", ()),
    ],
)
def test_lists_of_names(names, expected):
    assert split_names(names) == expected


@pytest.mark.parametrize(
    "names, expected",
    [
        ("t x", {"t": slice(0, 1), "x": slice(1, 2)}),
        ("t, x[3], y", {"t": slice(0, 1), "x": slice(1, 4), "y": slice(4, 5)}),
        (["v[2]", "p"], {"v": slice(0, 2), "p": slice(2, 3)}),
        ("x[100]", {"x": slice(0, 100)}),
        ("u_star x1", {"u_star": slice(0, 1), "x1": slice(1, 2)}),
    ],
)
def test_declarations(names, expected):
    assert declare(names, "coordinate") == expected
    assert list(declare(names, "coordinate")) == list(expected)


@pytest.mark.parametrize(
    "names, message",
    [
        ("", "no coordinate is named: expected at least one, such as coordinates='x'"),
        ("x x", "coordinate 'x' is named twice"),
        ("x[0]", r"coordinate 'x\[0\]' is not a name: .* 'x\[3\]' for a coordinate with three"),
        ("x[-1]", r"'x\[-1\]' is not a name"),
        ("2x", "'2x' is not a name"),
        ("_x", "'_x' is not a name"),
        ("x-y", "'x-y' is not a name"),
    ],
)
def test_malformed_declarations(names, message):
    with pytest.raises(ValueError, match=message):
        declare(names, "coordinate")


@pytest.mark.parametrize(
    "coordinates, fields, message",
    [
        ("x_1", "u", "coordinate 'x_1' has an underscore.* rename it, for example to 'x1'"),
        ("x y xy", "u", "'xy' cannot be told from the coordinates x, y one after the other"),
        ("x xx", "u", "'xx' cannot be told from the coordinates x, x"),
        ("x", "x", "'x' is the name of a coordinate and of something else"),
        ("x", "u u", "field 'u' is named twice"),
        ("x", "u u_x", "'u_x' already means a derivative of 'u'"),
        ("t x", "u_tx u", "'u_tx' already means a derivative of 'u'"),
        ("x", "u laplacian_u", "'laplacian_u' already means a derivative of 'u'"),
    ],
)
def test_ambiguous_spaces(coordinates, fields, message):
    with pytest.raises(ValueError, match=message):
        Space(coordinates, fields)


@pytest.mark.parametrize(
    "coordinates, fields",
    [("x y yz", "u"), ("x", "u u_star"), ("t x", "u u_y"), ("x", "grad"), ("x", "u n_u v_u")],
)
def test_names_that_only_look_ambiguous(coordinates, fields):
    assert list(Space(coordinates, fields).fields) == fields.split()


@pytest.mark.parametrize(
    "name, message",
    [
        ("x", "'x' is the name of a coordinate"),
        ("u", "'u' is the name of a field"),
        ("u_xt", "'u_xt' already means a derivative of 'u'"),
        ("div_v", "'div_v' already means a derivative of 'v'"),
    ],
)
def test_new_names_must_be_new(name, message):
    with pytest.raises(ValueError, match=message):
        PLANE.check_new_name(name)
    PLANE.check_new_name("viscosity")


# Coordinates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "coordinates, spatial",
    [
        ("t x y", (1, 2)),
        ("x t", (0,)),
        ("time x", (1,)),
        ("x[3] t", (0, 1, 2)),
        ("tau x", (0, 1)),
        ("T x", (0, 1)),
        ("t", ()),
    ],
)
def test_time_is_not_spatial(coordinates, spatial):
    assert Space(coordinates, "u").spatial == spatial


def test_sizes_and_description():
    assert (VECTOR.input_size, VECTOR.output_size, VECTOR.size("w")) == (4, 4, 3)
    assert VECTOR.describe() == "coordinates: t, x[3]; fields: u, w[3]"


# Derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "space, name, field, axes",
    [
        (PLANE, "u", "u", ()),
        (PLANE, "u_x", "u", (1,)),
        (PLANE, "u_t", "u", (0,)),
        (PLANE, "u_yyx", "u", (1, 2, 2)),
        (PLANE, "u_y_x_y", "u", (1, 2, 2)),
        (PLANE, "v_xt", "v", (0, 1)),
        (PLANE, "u_star", "u_star", ()),
        (PLANE, "u_star_xx", "u_star", (1, 1)),
        (LONG, "u_x1_x1", "u", (1, 1)),
        (LONG, "u_theta_x2_t", "u", (0, 2, 3)),
        (LONG, "u_tt_x1", "u", (0, 0, 1)),
        (LONG, "p_1", "p_1", ()),
        (LONG, "p_1_x1", "p_1", (1,)),
        (VECTOR, "u_tt", "u", (0, 0)),
        (SPACE3, "u_time", "u", (0,)),
        (SPACE3, "u_time_time_z", "u", (0, 0, 3)),
        (PLANE, "u_n", "u", ("n",)),
        (PLANE, "u_nn", "u", ("n", "n")),
        (PLANE, "u_n_s", "u", ("n", "s")),
        (PLANE, "u_n_t", "u", (0, "n")),
        (PLANE, "u_normal", "u", ("normal",)),
        (PLANE, "u_normal_normal", "u", ("normal", "normal")),
        (VECTOR, "w_n", "w", ("n",)),
    ],
)
def test_derivatives(space, name, field, axes):
    request = parse(name, space)
    assert (request.name, request.field, request.axes) == (name, field, axes)
    assert request.operator is None
    assert request.directions == tuple(dict.fromkeys(a for a in axes if isinstance(a, str)))


@pytest.mark.parametrize(
    "name, directions, axes",
    [
        ("u_n", ("n",), ("n",)),
        ("u_nn", ("n",), ("n", "n")),
        ("u_nn", ("nn",), ("nn",)),
        ("u_nn", ("n", "nn"), ("n", "n")),
        ("u_tangent", ("tangent",), ("tangent",)),
        ("u_tangent_x", ("tangent",), (1, "tangent")),
    ],
)
def test_known_directions(name, directions, axes):
    assert parse(name, PLANE, directions).axes == axes


OPERATORS = r"operators are grad_, laplacian_, hessian_, biharmonic_, div_, curl_, jac_ before"


@pytest.mark.parametrize(
    "space, name, directions, message",
    [
        (PLANE, "w", None, rf"'w' is neither a field nor .*'u_t' or 'u_tt', {OPERATORS}"),
        (LONG, "w_t", None, r"neither a field .* coordinates: t, x1, x2, theta; fields: u, p_1;"),
        (Space("x1", "u"), "w", None, "derivatives are named like 'u_x1' or 'u_x1_x1'"),
        (PLANE, "u_z", None, "with respect to 'z', which is not made of coordinates. There are"),
        (PLANE, "u_xz", None, "'u_xz' asks for a derivative with respect to 'xz'"),
        (PLANE, "u_", None, "with respect to ''"),
        (PLANE, "u__x", None, "with respect to ''"),
        (PLANE, "u_1", None, "with respect to '1'"),
        (LONG, "u_x1x1", None, "with respect to 'x1x1'"),
        (LONG, "u_x", None, "with respect to 'x'"),
        (PLANE, "u_n", (), "with respect to 'n', which is not made of coordinates. There"),
        (PLANE, "u_n", ("s", "m"), "made of coordinates or directions.* directions: m, s"),
        (PLANE, "u_xn", ("n",), "with respect to 'xn'"),
        # A column of data called "z" is no direction: that `u_z` is a slip.
        (PLANE, "u_z", ("z",), "with respect to 'z', which is not made of coordinates. There"),
        (VECTOR, "u_x", None, "'u_x': the coordinate has 3 components.* ask for grad_, laplacian_"),
        (VECTOR, "u_t_x", None, "the coordinate has 3 components"),
        (PLANE, "grad_w", None, "'grad_w': 'w' is not a field, and grad_ takes a field"),
        (PLANE, "laplacian_u_x", None, "'u_x' is not a field, and laplacian_ takes a field"),
        (ODE, "grad_u", None, "'grad_u' is an operator over the spatial coordinates, but there"),
        (PLANE, "grad_v", None, "'grad_v' takes a scalar field; for 'v' use jac_v"),
        (PLANE, "hessian_v", None, "'hessian_v' takes a scalar field; for 'v' use jac_v"),
        (PLANE, "div_u", None, r"one component per spatial coordinate \(2\), but 'u' has 1"),
        (SPACE3, "div_u", None, r"one component per spatial coordinate \(3\), but 'u' has 1"),
        (PLANE, "curl_u", None, "two components in two .* or three in three, but 'u' has 1 in 2"),
        (Space("x y", "w[3]"), "curl_w", None, "but 'w' has 3 in 2"),
    ],
)
def test_names_without_meaning(space, name, directions, message):
    with pytest.raises(ValueError, match=message):
        parse(name, space, directions)


# From names to partial derivatives -----------------------------------------------------------


@pytest.mark.parametrize(
    "space, name, expected",
    [
        (PLANE, "u", [(0, ())]),
        (PLANE, "v", [(1, ()), (2, ())]),
        (PLANE, "u_star_yx", [(3, (1, 2))]),
        (PLANE, "v_x", [(1, (1,)), (2, (1,))]),
        (PLANE, "v_nn", [(1, ("n", "n")), (2, ("n", "n"))]),
        (PLANE, "grad_u", [(0, (1,)), (0, (2,))]),
        (PLANE, "jac_u", [(0, (1,)), (0, (2,))]),
        (PLANE, "jac_v", [(1, (1,)), (1, (2,)), (2, (1,)), (2, (2,))]),
        (PLANE, "div_v", [(1, (1,)), (2, (2,))]),
        (PLANE, "curl_v", [(1, (2,)), (2, (1,))]),
        (PLANE, "laplacian_u", [(0, (1, 1)), (0, (2, 2))]),
        (PLANE, "laplacian_v", [(1, (1, 1)), (1, (2, 2)), (2, (1, 1)), (2, (2, 2))]),
        (PLANE, "hessian_u", [(0, (1, 1)), (0, (1, 2)), (0, (2, 2))]),
        (PLANE, "biharmonic_u", [(0, (1, 1, 1, 1)), (0, (1, 1, 2, 2)), (0, (2, 2, 2, 2))]),
        (VECTOR, "grad_u", [(0, (1,)), (0, (2,)), (0, (3,))]),
        (SPACE3, "div_w", [(1, (1,)), (2, (2,)), (3, (3,))]),
        (
            SPACE3,
            "curl_w",
            [(1, (2,)), (1, (3,)), (2, (1,)), (2, (3,)), (3, (1,)), (3, (2,))],
        ),
    ],
)
def test_partials(space, name, expected):
    assert partials(parse(name, space), space) == expected
