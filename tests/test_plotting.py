"""Figures are right in number, in what they say and in what they refuse."""

import re
import sys

import keras
import matplotlib.figure
import numpy as np
import pytest

from kpinn import plotting
from kpinn.backend import look
from kpinn.domains import Ball, Box, Polygon, Ring, Sphere

BURGERS = Box(t=(0, 1), x=(-1, 1))
LINE = Box(x=(0, 2))
BOX = Box(x=(0, 2.2), y=(0, 0.41))
FLOW = BOX - Ball(x=0.2, y=0.2, radius=0.05).named("cylinder")
STEP = Box(x=(-1, 1), y=(-1, 1)) - Box(x=(0, 1), y=(0, 1))
HOLED = Polygon(
    x=[0, 3, 3, 1, 0],
    y=[0, 0, 2, 1.5, 2],
    holes={"window": {"x": [0.5, 1, 1], "y": [0.5, 0.5, 1]}},
    edges={"inlet": 4},
)
LENS = Ball(x=0, y=0, radius=1) & Ball(x=1, y=0, radius=1)
TORUS = Ball(r=2, z=0, radius=0.5).revolved(r="x y")
MOVING = (Box(t=(0, 8)) * Ball(x=0.2, y=0.2, radius=0.05)).moved(x=lambda t: 0.1 * t)
PNG = b"\x89PNG\r\n\x1a\n"


class Exact:
    """Stands for a model: `f` gives the field, `g` the residuals, of the coordinates by name."""

    def __init__(self, f=lambda x, **_: np.sin(3 * x), g=lambda x, **_: np.hstack([3 * x, 4 * x])):
        self.f, self.g = f, g

    def predict_fields(self, points, name):
        self.points = points
        return {name: self.f(**points)}

    def residuals(self, points):
        return {name: self.g(**values) for name, values in points.items()}


def figure_of(draw, *arguments, **options):
    """The figure of the axes that a picture is drawn into."""
    return np.ravel(draw(*arguments, **options))[0].figure


def panels(figure):
    """The axes without the colour bars."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def stated_error(figure):
    titles = " ".join(axes.get_title() for axes in figure.axes)
    return float(re.search(r"relative L2 error (\S+)", titles).group(1))


def wave(t, x):
    return np.exp(-t) * np.sin(np.pi * x)


# Fields


def test_field_of_two_coordinates():
    pinn = Exact(lambda t, x: wave(t, x) + 0.01 * t)
    figure = figure_of(plotting.field, pinn, BURGERS, "u", wave, points=21)
    assert len(panels(figure)) == 3 and len(figure.axes) == 5
    assert [axes.get_title() for axes in panels(figure)][:2] == ["u", "reference"]
    t, x = np.meshgrid(np.linspace(0, 1, 21), np.linspace(-1, 1, 21), indexing="ij")
    expected = 0.01 * np.sqrt((t**2).sum()) / np.sqrt((wave(t, x) ** 2).sum())
    assert stated_error(figure) == pytest.approx(expected, rel=1e-3)
    axes = panels(figure)[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("t", "x")
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (-1, 1))


def test_maps_show_the_first_coordinate_horizontally():
    figure = figure_of(
        plotting.field, Exact(lambda t, x: 10 * t + x), BURGERS, points={"x": 3, "t": 2}
    )
    mesh = panels(figure)[0].collections[0]
    np.testing.assert_allclose(mesh.get_array(), [[-1, 9], [0, 10], [1, 11]])  # rows: x


def test_the_model_gets_columns_in_the_order_of_the_box():
    pinn = Exact(lambda t, x, y: t + x + y)
    box = Box(t=(0, 1), x=(0, 1), y=(0, 1))
    plotting.field(pinn, box, fixed={"t": 0.5}, points={"x": 4, "y": 3})
    assert {k: v.shape for k, v in pinn.points.items()} == dict.fromkeys("txy", (12, 1))
    assert list(pinn.points) == ["t", "x", "y"] and (pinn.points["t"] == 0.5).all()


def test_prediction_and_reference_share_their_colours():
    figure = figure_of(
        plotting.field, Exact(lambda t, x: 0.5 * x), BURGERS, "u", lambda t, x: 2 * x
    )
    left, middle, right = (axes.collections[0] for axes in panels(figure))
    assert left.get_clim() == middle.get_clim() == (-2, 2)
    assert left.get_cmap().name == "blue_orange"
    assert right.get_clim()[0] == 0 and right.get_cmap().name == look.ERRORS


def test_colours_of_one_sign_are_sequential():
    figure = figure_of(plotting.field, Exact(lambda t, x: 2 + x), BURGERS)
    mesh = panels(figure)[0].collections[0]
    assert mesh.get_clim() == (1, 3) and mesh.get_cmap().name == look.VALUES
    nearly = plotting.field(Exact(lambda t, x: 0.95 + x), BURGERS, points=3).collections[0]
    assert (
        nearly.get_clim() == pytest.approx((-0.05, 1.95)) and nearly.get_cmap().name == look.VALUES
    )


@pytest.mark.parametrize("shape", ["function", "grid", "flat", "column"])
def test_references_of_all_shapes(shape):
    t, x = np.meshgrid(np.linspace(0, 1, 7), np.linspace(-1, 1, 5), indexing="ij")
    values = 1.25 * wave(t, x)
    reference = {
        "function": lambda t, x: 1.25 * wave(t, x),
        "grid": values,
        "flat": values.ravel(),
        "column": values.reshape(-1, 1),
    }[shape]
    figure = figure_of(
        plotting.field, Exact(wave), BURGERS, "u", reference, points={"t": 7, "x": 5}
    )
    assert stated_error(figure) == pytest.approx(0.2, rel=1e-3)


def test_field_of_one_coordinate():
    figure = figure_of(plotting.field, Exact(lambda x: 1.1 * x), LINE, "u", lambda x: x, points=11)
    upper, lower = figure.axes
    assert stated_error(figure) == pytest.approx(0.1)
    assert [line.get_label() for line in upper.lines] == ["prediction", "reference"]
    np.testing.assert_allclose(lower.lines[0].get_ydata(), 0.1 * np.linspace(0, 2, 11), atol=1e-15)
    assert lower.get_yscale() == "log" and lower.get_xlabel() == "x"
    assert len(figure_of(plotting.field, Exact(lambda x: x), LINE).axes) == 1


def test_fixed_coordinates_are_named_and_given_to_the_reference():
    box = Box(t=(0, 1), x=(-1, 1), v=([0, 0], [1, 1]))
    got = {}

    def reference(t, x, v):
        got.update(t=t, x=x, v=v)
        return x * v[:, 1]

    pinn = Exact(lambda t, x, v: x * v[:, 1:])
    figure = figure_of(
        plotting.field, pinn, box, "u", reference, 9, fixed={"v": [0.25, 2], "t": 0.5}
    )
    assert {k: v.shape for k, v in got.items()} == {"t": (9,), "x": (9,), "v": (9, 2)}
    assert "u at t = 0.5, v = [0.25, 2], relative" in figure.axes[0].get_title()


def test_space_is_drawn_to_scale_and_time_is_not():
    plate = figure_of(plotting.field, Exact(), Box(x=(0, 2), y=(0, 1)))
    assert plate.axes[0].get_aspect() == 1
    assert figure_of(plotting.field, Exact(), BURGERS).axes[0].get_aspect() == "auto"
    assert (
        figure_of(plotting.field, Exact(), Box(x=(0, 1), y=(0, 100))).axes[0].get_aspect() == "auto"
    )


def test_a_reference_of_zero_has_no_relative_error():
    figure = figure_of(plotting.field, Exact(lambda x: 0 * x + 3), LINE, "u", lambda x: 0 * x)
    assert "u, L2 error 3.000e+00 (reference is 0)" == figure.axes[0].get_title()


FIELDS = {
    "exact": (lambda x, **_: np.sin(x), lambda *c: np.sin(c[-1])),
    "constant": (lambda x, **_: 0 * x + 2, lambda *c: 0 * c[-1] + 1),
    "zero": (lambda x, **_: 0 * x, lambda *c: 0 * c[-1]),
    "nan": (lambda x, **_: np.nan * x, lambda *c: c[-1]),
    "some nan": (lambda x, **_: np.where(x > 0.5, np.nan, x), lambda *c: c[-1]),
    "infinite": (lambda x, **_: np.where(x > 0.5, np.inf, x), lambda *c: c[-1]),
}


@pytest.mark.parametrize("box", [BURGERS, LINE], ids=["maps", "curves"])
@pytest.mark.parametrize("name", FIELDS)
def test_awkward_values_still_make_a_figure(name, box, tmp_path):
    prediction, reference = FIELDS[name]
    pinn = Exact(prediction, prediction)
    plotting.field(pinn, box, "u", reference, points=9, path=tmp_path / "field.png")
    plotting.residual(pinn, box, "momentum", points=9, path=tmp_path / "residual.png")
    assert all(path.read_bytes().startswith(PNG) for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("draw", [plotting.field, plotting.residual])
@pytest.mark.parametrize(
    "box, arguments, message",
    [
        (Box(t=(0, 1), x=(0, 1), y=(0, 1)), {}, r"\('t', 'x', 'y'\) vary. Fix all but one or two"),
        (Box(x=([0, 0, 0], 1)), {}, r"and \('x',\) are vectors"),
        (LINE, {"fixed": {"x": 1}}, "none vary"),
        (LINE, {"fixed": {"y": 1}}, r"Cannot fix \['y'\]. The box has the coordinates \('x',\)"),
        (BURGERS, {"fixed": {"t": [0, 1]}}, r"fixed\['t'\] needs 1 number"),
        (LINE, {"points": 1}, "points along 'x' is a whole number of at least 2, not 1"),
        (LINE, {"points": 2.5}, "number of at least 2, not 2.5"),
        (LINE, {"points": True}, "number of at least 2, not True"),
        (BURGERS, {"points": {"t": 5}}, r"needs the coordinates \('t', 'x'\), got \('t',\)"),
    ],
)
def test_maps_and_curves_refuse(draw, box, arguments, message):
    with pytest.raises(ValueError, match=message):
        draw(Exact(), box, "u", **arguments)


@pytest.mark.parametrize(
    "reference",
    [np.zeros(7), np.zeros((5, 4)), lambda t, x: t[:3], lambda t, x: 1.0],
    ids=["short", "wrong grid", "short function", "scalar"],
)
def test_references_of_a_wrong_shape(reference):
    with pytest.raises(ValueError, match="Expected a reference with 20 values"):
        plotting.field(Exact(wave), BURGERS, "u", reference, points={"t": 4, "x": 5})


def test_a_field_of_several_components_is_refused():
    with pytest.raises(ValueError, match="field 'grad_u' has 2 components. Name one.*@kpinn.field"):
        plotting.field(Exact(lambda x: np.hstack([x, x])), LINE, "grad_u")


# Domains other than boxes


def triangles(domain, **arguments):
    """The triangles `(m, 3, 2)` of a map of the field 0."""
    figure = figure_of(plotting.field, Exact(lambda x, **_: 0 * x), domain, **arguments)
    (mesh,) = panels(figure)[0].collections
    # matplotlib keeps a triangulation of a Gouraud map under a private name
    drawn = mesh._triangulation
    return np.stack([drawn.x, drawn.y], axis=1)[drawn.triangles]


def area(corners):
    a, b = (corners[:, k] - corners[:, 0] for k in (1, 2))
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2


PLANES = {
    "channel": (FLOW, {}, FLOW.volume, 1e-4),
    "ring": (Ring(x=0, y=0, inner=0.5, outer=1), {}, 0.75 * np.pi, 1e-3),
    "step": (STEP, {}, 3.0, 1e-12),
    "turned step": (STEP.rotated(0.3), {}, 3.0, 1e-7),
    "polygon": (HOLED, {}, HOLED.volume, 1e-7),
    "small hole": (
        Box(x=(0, 1), y=(0, 1)) - Ball(x=0.513, y=0.497, radius=0.01),
        {},
        1 - 1e-4 * np.pi,
        1e-4,
    ),
    "lens": (LENS, {}, 2 * np.pi / 3 - np.sqrt(3) / 2, 1e-3),
    "closed gap": (Box(x=(0, 2), y=(0, 1)) - Box(x=(1, 1.5), y=(0, 1)), {}, 1.5, 1e-9),
    "moving": (MOVING, {"t": 4}, 0.0025 * np.pi, 1e-3),
    "family": (Box(mu=(1, 2), parameters="mu") * STEP, {"mu": 1.5}, 3.0, 1e-12),
    "slice of a body": (TORUS, {"z": 0.3}, 2 * np.pi * 2 * 0.8, 1e-3),
    "in time": (
        (Box(t=(0, 1)) * Box(x=(0, 1))).moved(x=lambda t: 0.5 * t * t),
        {},
        1.0,
        1e-4,
    ),
}


@pytest.mark.parametrize("name", PLANES)
def test_triangles_cover_a_domain_and_nothing_else(name):
    domain, fixed, expected, tolerance = PLANES[name]
    corners = triangles(domain, points=24, fixed=fixed)
    assert area(corners) == pytest.approx(expected, rel=tolerance)
    middles = corners.mean(axis=1)
    names = [k for k in domain.coordinates if k not in fixed]
    points = dict(zip(names, middles.T, strict=True))
    points |= {k: np.full(len(middles), float(value)) for k, value in fixed.items()}
    assert domain.contains(points).all()


def test_the_model_is_asked_inside_of_the_domain_only():
    pinn = Exact(lambda x, y: x)
    plotting.field(pinn, FLOW, points=24)
    assert FLOW.contains(pinn.points).all() and len(pinn.points["x"]) > 24 * 12


def test_a_vector_coordinate_of_two_components_is_a_plane():
    figure = figure_of(
        plotting.field, Exact(lambda x: x[:, :1]), Ball(x=[0, 0], radius=1), points=24
    )
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x[0]", "x[1]")


def test_domains_in_space_are_drawn_to_scale_with_an_outline():
    figure = figure_of(plotting.field, Exact(lambda x, y: x), FLOW, "u", lambda x, y: x, points=24)
    heights = [axes.get_position().y0 for axes in panels(figure)]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) == 3  # wide: in rows
    assert all(axes.get_aspect() == 1 for axes in panels(figure))
    (outline,) = panels(figure)[0].lines
    x, y = outline.get_data()
    assert np.isnan(x).sum() == 2  # two loops
    length = np.nansum(np.hypot(np.diff(x), np.diff(y)))
    assert length == pytest.approx(FLOW.boundary().area, rel=1e-3)  # the hole included
    radii = np.hypot(x - 0.2, y - 0.2)
    on_box = (np.abs(x * (x - 2.2)) < 1e-9) | (np.abs(y * (y - 0.41)) < 1e-9)
    assert np.all(on_box | np.isnan(x) | (np.abs(radii - 0.05) < 1e-6))
    tall = figure_of(
        plotting.field, Exact(lambda y, x: x), Box(y=(0, 1), x=(0, 5)) - Ball(y=0, x=0, radius=1)
    )
    width, height = tall.get_size_inches()
    assert height > 2 * width


def test_errors_on_a_domain_are_means_over_its_area():
    figure = figure_of(
        plotting.field, Exact(lambda x, y: x + 1.0 * (y < 0)), STEP, "u", lambda x, y: x
    )
    # 2 of an area of 3 have the error 1; the integral of x**2 is 1
    assert stated_error(figure) == pytest.approx(np.sqrt(2 / 1), rel=2e-2)
    figure = figure_of(plotting.residual, Exact(g=lambda x, y: x), STEP, "a")
    assert "root mean square 5.77e-01" in figure.axes[0].get_title()


def test_a_curve_through_a_hole_has_a_gap():
    figure = figure_of(plotting.field, Exact(lambda x, y: x), FLOW, points=12, fixed={"y": 0.2})
    x = figure.axes[0].lines[0].get_xdata()
    gap = np.flatnonzero(np.isnan(x))[0]
    np.testing.assert_allclose(x[[gap - 1, gap + 1]], [0.15, 0.25], atol=1e-6)
    assert np.all(np.diff(x[:gap]) > 0) and np.isnan(x).sum() == 2


@pytest.mark.parametrize(
    "domain, fixed, message",
    [
        (FLOW, {"x": 0.2, "y": 0.2}, "none vary"),
        (TORUS, {}, r"\('x', 'y', 'z'\) vary"),
        (TORUS, {"z": 2}, r"no point of Ball.* at z = 2, or nothing around it. Fix other values"),
        (TORUS, {"t": 2}, r"Cannot fix \['t'\]. Ball.*has the coordinates \('x', 'y', 'z'\)"),
        (Sphere(x=0, y=0, radius=1), {}, "no inside to draw over.*its method plot"),
    ],
)
def test_domains_that_are_refused(domain, fixed, message):
    with pytest.raises(ValueError, match=message):
        plotting.field(Exact(), domain, fixed=fixed)


def test_points_make_equal_steps_in_other_domains():
    pinn = Exact(lambda x, y: x)
    plotting.field(pinn, FLOW, points=24)
    few = len(pinn.points["x"])
    assert np.max(np.diff(np.unique(pinn.points["x"].round(9)))) < 0.05 and few < 2 * 24**2
    step, away = np.sqrt(2.2 * 0.41) / 24, np.hypot(*(pinn.points[k] - 0.2 for k in "xy")) - 0.05
    around = np.pi * ((0.05 + step) ** 2 - 0.05**2) / step**2  # nodes of the lattice
    assert np.sum((away > 1e-6) & (away < step)) > 2 * around  # finer near the boundary
    plotting.field(pinn, FLOW, points={"x": 10, "y": 24})
    assert len(pinn.points["x"]) < few


# Residuals


def test_a_name_without_meaning_is_named():
    class Strict(Exact):
        def predict_fields(self, points, name):
            raise ValueError(f"{name!r} means nothing.")

    with pytest.raises(ValueError, match="name='u_q' cannot be drawn: 'u_q' means nothing"):
        plotting.field(Strict(), LINE, "u_q")


def test_fixed_is_a_dict():
    with pytest.raises(TypeError, match="`fixed` must be a dict"):
        plotting.field(Exact(), LINE, fixed=np.ones(2))


def test_residual_is_the_root_of_the_sum_of_squares():
    figure = figure_of(
        plotting.residual, Exact(g=lambda t, x: np.hstack([3 + 0 * x, 4 + 0 * t])), BURGERS, "a"
    )
    assert len(panels(figure)) == 1 and len(figure.axes) == 2
    assert panels(figure)[0].get_title() == "|a|, root mean square 5.00e+00"
    np.testing.assert_allclose(panels(figure)[0].collections[0].get_array(), 5)


def test_residual_has_logarithmic_colours_and_hides_no_zeros():
    figure = figure_of(
        plotting.residual, Exact(g=lambda t, x: 10.0 ** (-9 * t) * (x > 0)), BURGERS, "a"
    )
    mesh = panels(figure)[0].collections[0]
    low, high = mesh.get_clim()
    assert type(mesh.norm).__name__ == "LogNorm" and high == 1
    assert 1e-9 < low < 1e-6 and mesh.get_array().min() == low


def test_residual_of_one_coordinate():
    figure = figure_of(plotting.residual, Exact(), BURGERS, "a", fixed={"t": 0.25}, points=5)
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [5, 2.5, 0, 2.5, 5])
    assert axes.get_yscale() == "log" and axes.get_title().startswith("|a| at t = 0.25, root")


def test_a_residual_of_another_length_is_refused():
    with pytest.raises(ValueError, match="the residual of 'a' with 101 values.*got the shape"):
        plotting.residual(Exact(g=lambda x: x[:5]), LINE, "a")


# Histories


LOGS = {
    "loss": [3.0, 2.0, 1.0, 0.5],
    "momentum": [2.0, 1.5, 0.5, 0.25],
    "walls": [1.0, 0.5, 0.5, 0.25],
    "val_loss": [4.0, 1.5],
    "val_walls": [2.0, 0.5],
    "viscosity": [0.1, 0.2, 0.3, 0.3],
    "learning_rate": [1e-3] * 4,
}


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_history_has_one_line_per_key():
    left, right = figure_of(plotting.history, LOGS, unknowns=["viscosity"]).axes
    drawn = lines(left)
    assert list(drawn) == ["loss", "momentum", "walls", "val_loss", "val_walls"]
    assert list(lines(right)) == ["viscosity"] and right.get_ylabel() == "unknowns"
    assert drawn["loss"].get_linewidth() > drawn["walls"].get_linewidth()
    assert drawn["val_walls"].get_linestyle() == "--" and drawn["walls"].get_linestyle() == "-"
    assert drawn["val_walls"].get_color() == drawn["walls"].get_color()
    assert len({line.get_color() for line in drawn.values()}) == 3
    assert drawn["walls"].get_xdata().tolist() == [1, 2, 3, 4]
    assert drawn["val_walls"].get_xdata().tolist() == [2, 4]
    assert left.get_yscale() == "log" and right.get_yscale() == "linear"


@pytest.mark.parametrize(
    "losses, scale",
    [
        ([3.0, 1e-5], "log"),
        ([0.0, 1e-5, 1.0], "symlog"),
        ([1.0, -0.001, -5.0], "symlog"),
        ([1.0, 0.5, -1.0], "linear"),
        ([0.0, 0.0], "linear"),
        ([np.nan, np.nan], "linear"),
        ([np.nan, 1.0, np.inf], "log"),
        ([1.0], "log"),
    ],
)
def test_history_scale_follows_the_losses(losses, scale, tmp_path):
    figure = figure_of(plotting.history, {"loss": losses}, tmp_path / "history.png")
    assert figure.axes[0].get_yscale() == scale
    assert (tmp_path / "history.png").read_bytes().startswith(PNG)


def test_history_takes_a_keras_history():
    class History:
        history = {"loss": [1.0, 0.5]}

    assert list(lines(figure_of(plotting.history, History()).axes[0])) == ["loss"]
    History.history |= {"k[0]": [1.0, 2.0]}
    History.model = type("Model", (), {"unknowns": {"k": 0}})
    assert list(lines(plotting.history(History()))) == ["loss"]
    assert list(lines(plotting.history(History(), unknowns=["k[0]"])[1])) == ["k[0]"]


@pytest.mark.parametrize(
    "history, unknowns, error, message",
    [
        ([1, 2], (), TypeError, r"keras History or a dict of lists, got \[1, 2\]"),
        ({}, (), ValueError, "empty. Train for at least one epoch"),
        ({"loss": []}, (), ValueError, "empty"),
        ({"loss": [1]}, ["nu"], ValueError, r"no \['nu'\]. It has \['loss'\]"),
        ({"loss": [1]}, "nu", TypeError, r"list of keys, as in \['nu'\]"),
    ],
)
def test_history_refuses(history, unknowns, error, message):
    with pytest.raises(error, match=message):
        plotting.history(history, unknowns=unknowns)


def test_weights_and_unknowns_have_panels_of_their_own():
    logs = {**LOGS, "weight_walls": [1.0, 2.0, 4.0, 18.0]}
    losses, weights, unknowns = plotting.history(logs, unknowns=["viscosity"], weights=True)
    assert "weight_walls" not in lines(losses) and list(lines(unknowns)) == ["viscosity"]
    assert list(lines(weights)) == ["walls"] and weights.get_yscale() == "log"
    assert lines(weights)["walls"].get_color() == lines(losses)["walls"].get_color()
    assert "weight_walls" not in lines(plotting.history(logs))
    with pytest.raises(ValueError, match="no loss weights: callbacks that change them"):
        plotting.history(LOGS, weights=True)


# Points


def test_points_have_the_colours_of_their_sets_and_the_sizes_of_their_weights():
    sets = {"heat": BURGERS.sample(20, seed=0), "walls": BURGERS.boundary("x").sample(6, seed=0)}
    weights = np.arange(20.0)
    axes = plotting.points(sets, {"heat": weights})
    inside, walls = axes.collections
    np.testing.assert_allclose(inside.get_offsets().T, [sets["heat"][k][:, 0] for k in "tx"])
    np.testing.assert_allclose(inside.get_sizes() / inside.get_sizes().mean(), weights / 9.5)
    assert len(np.unique(walls.get_sizes())) == 1 and len(walls.get_offsets()) == 6
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["heat", "walls"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("t", "x")


def test_points_of_one_and_three_coordinates():
    axes = plotting.points({"a": LINE.sample(5, seed=0), "b": LINE.sample(3, seed=0)})
    assert np.unique(axes.collections[1].get_offsets()[:, 1]) == [1.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    axes = plotting.points(TORUS.boundary().sample(5, seed=0))  # with normals, which are left out
    assert axes.name == "3d" and axes.get_zlabel() == "z" and axes.get_legend() is None
    vector = {"t": np.zeros(4), "x": np.arange(8.0).reshape(4, 2)}
    assert plotting.points(vector, coordinates="x").get_ylabel() == "x[1]"


@pytest.mark.parametrize(
    "points, options, error, message",
    [
        (3, {}, TypeError, "must be a dict of arrays"),
        ({}, {}, TypeError, "must be a dict of arrays"),
        ({k: [1.0] for k in "txyz"}, {}, ValueError, "one, two or three.*coordinates='x y'"),
        ({"x": [1.0]}, {"coordinates": "q"}, ValueError, r"points has no \['q'\]"),
        ({"x": [1.0, 2.0], "y": [1.0]}, {}, ValueError, "not of the same length"),
        ({"a": {"x": [1.0]}, "b": {"y": [1.0]}}, {}, ValueError, r"points\['b'\] has no 'x'"),
        ({"x": [1.0]}, {"weights": [1.0, 2.0]}, ValueError, "Expected 1 weights"),
        ({"x": [1.0]}, {"weights": [-1.0]}, ValueError, "not negative"),
        ({"x": [1.0]}, {"weights": {"a": [1.0]}}, ValueError, r"`weights` has \['a'\]"),
    ],
)
def test_points_that_are_refused(points, options, error, message):
    with pytest.raises(error, match=message):
        plotting.points(points, **options)


# Errors and unknowns


def test_the_mean_of_the_error_against_time_is_the_error():
    pinn = Exact(lambda t, x: wave(t, x) * (1 + t))
    axes = plotting.error(pinn, BURGERS, wave, points=21)
    t, error = axes.lines[0].get_data()
    np.testing.assert_allclose(t, np.linspace(0, 1, 21))
    expected = t * np.exp(-t) / np.sqrt(np.mean(np.exp(-2 * t)))
    np.testing.assert_allclose(error, expected, rtol=1e-9, atol=1e-15)
    total = stated_error(axes.figure)
    field = plotting.field(pinn, BURGERS, "u", wave, points=21)
    assert total == pytest.approx(stated_error(field[0].figure), rel=1e-3)
    assert axes.get_xlabel() == "t" and axes.get_yscale() == "log"


def test_errors_over_a_domain_that_moves_and_at_fixed_values():
    flow = Box(t=(0, 8)) * Box(x=(0, 2.2), y=(0, 0.41)) - MOVING
    axes = plotting.error(
        Exact(lambda t, x, y: 0 * x + 2), flow, lambda t, x, y: 0 * x + 1, points=8
    )
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 1.0)
    fixed = {"fixed": {"t": 0.5}, "along": "x", "points": 5}
    box = Box(t=(0, 1), x=(0, 1), y=(0, 1))
    axes = plotting.error(Exact(lambda t, x, y: 0 * x), box, lambda t, x, y: 0 * x, **fixed)
    assert axes.get_ylabel() == "L2 error of u" and axes.get_title().startswith("u at t = 0.5, L2")


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"along": "y"}, ValueError, r"along='y' is none of the coordinates \('t', 'x'\)"),
        ({"points": 1}, ValueError, "points is a whole number of at least 2, not 1"),
        ({"reference": np.ones(3)}, TypeError, "`reference` must be a function"),
    ],
)
def test_errors_that_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        plotting.error(Exact(wave), BURGERS, **{"reference": wave} | options)


class Inverse:
    """Stands for a PINN with unknowns, and for its covariance."""

    def __init__(self):
        self.unknowns = {"c": keras.Variable(2.2), "k": keras.Variable([1.0, 3.0])}
        self.standard_errors = {"c": 0.1, "k": np.array([0.5, np.nan])}


@pytest.fixture
def inverse():
    return Inverse()


def test_bars_of_unknowns_are_two_standard_errors(inverse):
    axes = plotting.unknowns(inverse, inverse, exact={"c": 2.0, "k": [1.0, -3.0]})
    np.testing.assert_allclose(axes.lines[0].get_xdata(orig=False), [1.1, 1.0, -1.0], rtol=1e-6)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["c", "k[0]", "k[1]"]
    (bars,) = axes.collections
    ends = [segment[:, 0] for segment in bars.get_segments()[:2]]  # there is none of k[1]
    np.testing.assert_allclose(ends, [[1.1 - 0.098, 1.1 + 0.098], [1 - 0.98, 1 + 0.98]], rtol=1e-5)
    axes = plotting.unknowns(inverse)
    np.testing.assert_allclose(axes.lines[0].get_xdata(orig=False), [2.2, 1.0, 3.0], rtol=1e-6)
    assert axes.get_xlabel() == "value"


@pytest.mark.parametrize(
    "exact, message",
    [
        ({"c": 1.0}, r"`exact` has no 'k'. It has \['c'\]"),
        ({"c": 0.0, "k": [1.0, 1.0]}, r"exact\['c'\] must be 1 number\(s\) other than zero"),
        ({"c": 1.0, "k": 1.0}, r"exact\['k'\] must be 2 number"),
    ],
)
def test_exact_values_that_do_not_fit(inverse, exact, message):
    with pytest.raises(ValueError, match=message):
        plotting.unknowns(inverse, exact=exact)
    inverse.unknowns = {}
    with pytest.raises(ValueError, match="The PINN has no unknowns"):
        plotting.unknowns(inverse)


# Films


def frames_of(path):
    with pytest.importorskip("PIL.Image").open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            yield np.asarray(image.convert("L"))


def test_a_film_of_a_domain_that_moves(tmp_path):
    flow, path = Box(t=(0, 8)) * BOX - MOVING, tmp_path / "new" / "film.gif"
    film = plotting.animation(Exact(lambda t, x, y: 0 * x + t), flow, frames=3, points=9, path=path)
    first, second, third = frames_of(path)
    assert np.any(first != second) and np.any(second != third)
    assert type(film).__name__ == "FuncAnimation"


def test_a_film_of_curves_keeps_its_axes(tmp_path):
    pinn = Exact(lambda t, x: t * x)
    film = plotting.animation(pinn, BURGERS, frames=3, points=5, path=tmp_path / "film.gif")
    (axes,) = film._fig.axes  # there is no public way to the figure
    assert axes.get_title() == "u at t = 1" and axes.get_xlim() == (-1, 1)
    assert axes.get_ylim() == pytest.approx((-1.1, 1.1))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.linspace(-1, 1, 5))
    assert len(axes.lines) == 1 and len(pinn.points["t"]) == 15  # one call of the model


@pytest.mark.parametrize("options", [{"along": "q"}, {"frames": 1}, {"fps": 0}])
def test_films_that_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        plotting.animation(Exact(wave), BURGERS, **options)


# Bodies


class Plotter:
    """Stands for that of pyvista, which needs a display."""

    def __init__(self):
        self.meshes, self.styles = [], []

    def add_mesh(self, mesh, **style):
        self.meshes.append(mesh)
        self.styles.append(style)

    def show_grid(self, **titles):
        self.titles = [titles[key] for key in ("xtitle", "ytitle", "ztitle")]


def test_fields_on_surfaces():
    pytest.importorskip("pyvista")
    plotter, pinn = Plotter(), Exact(lambda x, y, z: x + 2 * y + 3 * z)
    assert plotting.surface(pinn, TORUS, "w", 2_000, plotter) is plotter
    (mesh,), (style,) = plotter.meshes, plotter.styles
    np.testing.assert_allclose(mesh.point_data["w"], mesh.points @ [1, 2, 3], atol=1e-5)
    assert mesh.area == pytest.approx(TORUS.boundary().area, rel=2e-2)
    assert style["clim"][0] == -style["clim"][1] and style["scalars"] == "w"
    assert plotter.titles == ["x", "y", "z"]
    duct = Box(t=(0, 1)) * FLOW.extruded(z=(0, 1))
    wall, pinn = duct.boundary("cylinder"), Exact(lambda t, x, y, z: t + 0 * x)
    (mesh,) = plotting.surface(pinn, wall, plotter=Plotter(), fixed={"t": 0.25}).meshes
    np.testing.assert_allclose(mesh.point_data["u"], 0.25)


def test_slices_of_bodies():
    pytest.importorskip("pyvista")
    plotter, pinn = Plotter(), Exact(lambda x, y, z: x + z)
    plotting.slices(pinn, TORUS, {"z": [-0.3, 0.3], "x": 0.0}, "w", 24, plotter)
    areas = [2 * np.pi * 2 * 0.8] * 2 + [2 * np.pi * 0.25]
    np.testing.assert_allclose([mesh.area for mesh in plotter.meshes], areas, rtol=2e-3)
    for mesh in plotter.meshes:
        np.testing.assert_allclose(mesh.point_data["w"], mesh.points @ [1, 0, 1], atol=1e-6)
    assert len({style["clim"] for style in plotter.styles}) == 1
    cube = Box(x=(0, 2), y=(0, 3), z=(0, 1))
    (mesh,) = plotting.slices(pinn, cube, {"y": 1}, points=5, plotter=Plotter()).meshes
    assert mesh.area == pytest.approx(2.0) and set(mesh.points[:, 1]) == {1}


def test_bodies_that_are_refused():
    with pytest.raises(ValueError, match="Slices are of bodies in space"):
        plotting.slices(Exact(), FLOW, {"x": 1})
    with pytest.raises(ValueError, match="surfaces in three dimensions of space"):
        plotting.surface(Exact(), FLOW)
    with pytest.raises(ValueError, match="'grad_u' has 3 components"):
        plotting.surface(Exact(lambda x, y, z: np.hstack([x, y, z])), TORUS, "grad_u")


# Along parts


def test_a_field_along_a_part_has_a_curve_for_each_name():
    pinn, named = Exact(lambda x, y, n: x * y), FLOW.with_parts(inlet=FLOW.face(x=0))
    upper, lower = plotting.field(pinn, named.boundary(), "u", lambda x, y: 0 * x + 1, points=400)
    drawn, walls = lines(upper), ["x = 2.2", "y = 0", "y = 0.41"]
    named = [name for name in drawn if not name.startswith("_")]
    assert named == ["inlet", *walls, "cylinder", "reference"]
    length = max(np.nanmax(line.get_xdata()) for line in upper.lines)
    assert length == pytest.approx(FLOW.boundary().area, rel=2e-3)  # less half of a step
    outlet = drawn["x = 2.2"].get_ydata()
    np.testing.assert_allclose([outlet[0], outlet[-1]], [0.0, 2.2 * 0.41], atol=0.02)
    assert lower.get_xlabel() == "s" and pinn.points["n"].shape == pinn.points["x"].shape[:1] + (2,)
    assert "u, relative L2 error" in upper.get_title()


def test_arc_lengths_and_means_along_a_circle():
    part = Ball(x=0, y=0, radius=2).boundary()
    axes = plotting.field(Exact(lambda x, y, n: x), part, points=200)
    (line,) = axes.lines
    s, x = line.get_data()
    np.testing.assert_allclose(x, 2 * np.cos(s / 2), atol=1e-3)
    assert axes.get_title() == "u on boundary" and axes.get_xlim()[1] == pytest.approx(
        4 * np.pi, 1e-3
    )
    axes = plotting.residual(Exact(g=lambda x, y, n: x), part, "walls", points=200)
    assert axes.get_title() == "|walls| on boundary, root mean square 1.41e+00"


def test_the_only_coordinate_that_varies_is_the_axis():
    axes = plotting.field(Exact(lambda t, x: x), BURGERS.face(t=0))
    (line,) = axes.lines
    assert axes.get_xlabel() == "x" and axes.get_xlim() == (-1, 1)
    np.testing.assert_allclose(*line.get_data())
    axes = plotting.field(Exact(lambda t, x, n: t + x), BURGERS.boundary("x"))
    assert axes.get_xlabel() == "t" and list(lines(axes)) == ["x = -1", "x = 1"]
    duct = Box(t=(0, 1)) * FLOW
    axes = plotting.field(
        Exact(lambda t, x, y, n: t + 0 * x), duct.boundary("cylinder"), fixed={"t": 0.25}
    )
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 0.25)
    assert axes.get_title() == "u on cylinder at t = 0.25"


def test_a_part_that_is_cut_has_gaps():
    part = Ball(x=0, y=0, radius=1).boundary().where(lambda x: abs(x) > 0.5)
    (line,) = plotting.field(Exact(lambda x, y, n: x), part, points=300).lines
    s, x = line.get_data()
    assert np.isnan(x).sum() == 2 and np.nanmin(np.abs(x)) > 0.5  # right, left, right again
    assert np.nanmax(s) - np.nanmin(s) == pytest.approx(2 * np.pi, rel=0.02)


@pytest.mark.parametrize(
    "part, points, message",
    [
        (TORUS.boundary(), 101, "not made of curves alone.*kpinn.plotting.surface"),
        ((Box(t=(0, 1)) * FLOW).boundary("cylinder"), 101, "Fix time or a parameter"),
        (FLOW.boundary(), 1, "points along a part is a whole number of at least 2, not 1"),
        (FLOW.boundary(), {"x": 3}, "number of at least 2, not {'x': 3}"),
    ],
)
def test_parts_that_are_refused(part, points, message):
    with pytest.raises(ValueError, match=message):
        plotting.field(Exact(), part, points=points)


# Axes and looks


def test_axes_of_a_figure_are_taken_and_returned(tmp_path):
    figure = matplotlib.figure.Figure()
    axes = figure.subplots(3, 3)
    taken = plotting.field(Exact(wave), BURGERS, "u", wave, points=9, axes=axes[0])
    assert taken.tolist() == axes[0].tolist()
    assert plotting.residual(Exact(), BURGERS, "a", points=9, axes=axes[1, 0]) is axes[1, 0]
    taken = plotting.history(LOGS, unknowns=["viscosity"], axes=axes[1, 1:])
    assert taken.tolist() == axes[1, 1:].tolist()
    path = tmp_path / "all.png"
    assert plotting.field(Exact(), LINE, path=path, axes=axes[2, 0]) is axes[2, 0]
    assert path.read_bytes().startswith(PNG) and not axes[2, 1].lines


@pytest.mark.parametrize(
    "axes, error, message",
    [
        (None, TypeError, "must be axes of matplotlib, got 3"),
        (1, ValueError, r"has 3 panel\(s\).*those of figure.subplots\(1, 3\)"),
        (2, ValueError, r"has 3 panel\(s\)"),
    ],
)
def test_axes_that_do_not_fit(axes, error, message):
    given = 3 if axes is None else matplotlib.figure.Figure().subplots(1, axes)
    with pytest.raises(error, match=message):
        plotting.field(Exact(wave), BURGERS, "u", wave, points=4, axes=given)


def test_the_look_is_ours_and_the_settings_stay_those_of_the_user():
    theirs = {"axes.spines.top": True, "axes.titlesize": 30, "axes.facecolor": "black"}
    theirs |= {"xtick.labelsize": 30, "text.color": "red", "legend.frameon": True}
    with matplotlib.rc_context(theirs):
        before = dict(matplotlib.rcParams)
        axes = plotting.history(LOGS)
        axes.figure.canvas.draw()
        assert dict(matplotlib.rcParams) == before
        given = matplotlib.figure.Figure().subplots()
        plotting.history(LOGS, axes=given)
    assert not axes.spines["top"].get_visible() and axes.get_facecolor() == (1, 1, 1, 1)
    assert axes.title.get_fontsize() < 12 and axes.get_xticklabels()[0].get_fontsize() < 12
    (label, *_), wanted = axes.get_legend().get_texts(), axes.xaxis.label.get_color()
    assert matplotlib.colors.same_color(label.get_color(), wanted)
    assert given.spines["top"].get_visible() and given.get_facecolor() == (0, 0, 0, 1)
    assert given.lines[1].get_color() == axes.lines[1].get_color()


def linear(colours):
    """Linear RGB of colours, by the definition of sRGB."""
    rgb = np.array([matplotlib.colors.to_rgb(colour) for colour in colours])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE lightness and chroma axes of linear RGB, for the white D65."""
    xyz = rgb @ np.array(
        [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    )
    ratio = xyz / [0.9505, 1.0, 1.089]
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def test_signed_colours_are_even_and_the_same_on_both_sides():
    places = np.linspace(0, 1, 257)
    lightness = lab(linear(look.signed()(places)[:, :3]))[:, 0]
    np.testing.assert_allclose(lightness, lightness[::-1], atol=2.5)
    steps = np.diff(lightness)[:128]
    assert np.all(steps > 0) and lightness[128] > 95
    assert np.std(steps) < 0.25 * np.mean(steps)  # viridis: 0.11 of its own


PROTANOPIA = """0.152286 1.052583 -0.204868
0.114503 0.786281 0.099216
-0.003882 -0.048116 1.051998"""
DEUTERANOPIA = """0.367322 0.860646 -0.227968
0.280085 0.672501 0.047413
-0.011820 0.042940 0.968881"""
DEFECTS = {"none": "1 0 0 0 1 0 0 0 1", "protanopia": PROTANOPIA, "deuteranopia": DEUTERANOPIA}


@pytest.mark.parametrize("defect", DEFECTS)
def test_colours_that_all_can_tell_apart(defect):
    """Seen by the matrices of G. M. Machado et al., IEEE TVCG 15 (2009), severity 1."""
    matrix = np.array(DEFECTS[defect].split(), float).reshape(3, 3)
    seen = lab(np.clip(linear((*look.COLOURS, look.EXACT)) @ matrix.T, 0, 1))
    apart = np.linalg.norm(seen[:, None] - seen, axis=-1)[np.triu_indices(len(seen), 1)]
    assert apart.min() > 15


# Files and matplotlib


def test_figures_need_no_pyplot(tmp_path):
    loaded = "matplotlib.pyplot" in sys.modules
    figure = figure_of(
        plotting.field, Exact(wave), BURGERS, "u", wave, path=str(tmp_path / "new" / "u.png")
    )
    assert type(figure).__module__ == "matplotlib.figure"
    assert (tmp_path / "new" / "u.png").read_bytes().startswith(PNG)
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install kpinn\[plot\]"):
        plotting.history({"loss": [1.0]})
