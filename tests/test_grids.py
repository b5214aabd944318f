"""Solutions on grids: files for ParaView, and arrays with labels."""

import sys

import numpy as np
import pytest
from problems import Formula

import kpinn


def heat(u_t, u_xx):
    return u_t - u_xx


def steady(u, laplacian_u):
    return laplacian_u - u


def pinn_in_time():
    """u = t x^2."""
    return kpinn.PINN(Formula(lambda t, x: t * x**2), "t x", "u", conditions=[heat])


def pinn_of_vectors(coordinates="x y", **arguments):
    """u = x^2 y, v = (x, y^2)."""
    network = Formula(lambda x, y, *mu: [x**2 * y, x, y**2])
    return kpinn.PINN(network, coordinates, "u v[2]", conditions=[steady], **arguments)


# Files for ParaView --------------------------------------------------------------------------


@pytest.fixture
def package():
    return pytest.importorskip("pyvista")


def test_a_box_is_a_grid(package, tmp_path):
    box = kpinn.domains.Box(x=(0, 2), y=(0, 1))
    names = "u, v, u_x, hessian_u, residual_steady"
    pinn = pinn_of_vectors()
    (path,) = kpinn.export_vtk(pinn, box, tmp_path / "field", names, points=5)
    assert path == str(tmp_path / "field.vtr")
    mesh = package.read(path)
    assert tuple(mesh.dimensions) == (5, 3, 1) and mesh.bounds[:4] == (0, 2, 0, 1)
    x, y, _ = mesh.points.T
    expected = {
        "u": x**2 * y,
        "v": np.stack([x, y**2, 0 * x], axis=1),
        "u_x": 2 * x * y,
        "hessian_u": np.stack([2 * y, 2 * x, 2 * x, 0 * x], axis=1),
        "residual_steady": 2 * y - x**2 * y,
    }
    assert set(mesh.point_data.keys()) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(mesh.point_data[name], values, rtol=1e-5, atol=1e-6)
    found = pinn.predict_fields({"x": x, "y": y}, "u_x")["u_x"]
    np.testing.assert_array_equal(mesh.point_data["u_x"], found[:, 0])


def test_another_domain_is_covered_from_inside(package, tmp_path):
    box, disk = kpinn.domains.Box(x=(0, 1), y=(0, 1)), kpinn.domains.Ball(x=0, y=0, radius=0.5)
    (path,) = kpinn.export_vtk(pinn_of_vectors(), box - disk, tmp_path / "part.vtu", points=21)
    mesh = package.read(path)
    x, y, _ = mesh.points.T
    assert mesh.array_names == ["u", "v"]
    assert mesh.n_cells > 200 and np.hypot(x, y).min() >= 0.5
    np.testing.assert_allclose(mesh.point_data["u"], x**2 * y, rtol=1e-5, atol=1e-6)


def test_a_mesh_is_filled(package, tmp_path):
    corners = package.Cube().triangulate().clean()
    faces = corners.faces.reshape(-1, 4)[:, 1:]
    cube = kpinn.domains.Mesh(np.asarray(corners.points, "float64"), faces)
    network = Formula(lambda x, y, z: x * y * z)
    pinn = kpinn.PINN(network, "x y z", "u", conditions=[steady])
    (path,) = kpinn.export_vtk(pinn, cube, tmp_path / "cube", points=4)
    mesh = package.read(path)
    np.testing.assert_allclose(mesh.point_data["u"], np.prod(mesh.points, axis=1), atol=1e-6)
    (path,) = kpinn.export_vtk(pinn, corners, tmp_path / "surface", "u, grad_u")
    mesh = package.read(path)
    assert path.endswith(".vtp") and mesh.n_points == 8
    x, y, z = mesh.points.T
    np.testing.assert_allclose(mesh["grad_u"], np.stack([y * z, x * z, x * y], 1), atol=1e-6)


def test_a_series_in_time(package, tmp_path):
    line = kpinn.domains.Box(x=(0, 1))
    times = [0.0, 0.25, 1.0]
    paths = kpinn.export_vtk(pinn_in_time(), line, tmp_path / "heat.pvd", "u, u_t", times, points=3)
    assert paths == [
        str(tmp_path / name)
        for name in ("heat.pvd", "heat_0000.vtr", "heat_0001.vtr", "heat_0002.vtr")
    ]
    reader = package.get_reader(paths[0])
    assert reader.time_values == times
    for time in times:
        reader.set_active_time_value(time)
        (mesh,) = reader.read()
        x = mesh.points[:, 0]
        np.testing.assert_allclose(mesh.point_data["u"], time * x**2, atol=1e-6)
        np.testing.assert_allclose(mesh.point_data["u_t"], x**2, atol=1e-6)


def test_time_may_be_an_axis_or_fixed(package, tmp_path):
    box = kpinn.domains.Box(t=(0, 1), x=(0, 1))
    (path,) = kpinn.export_vtk(pinn_in_time(), box, tmp_path / "heat", points=3)
    t, x, _ = package.read(path).points.T
    np.testing.assert_allclose(package.read(path).point_data["u"], t * x**2, atol=1e-6)
    line, fixed = kpinn.domains.Box(x=(0, 1)), {"t": 0.5}
    (path,) = kpinn.export_vtk(pinn_in_time(), line, tmp_path / "line", fixed=fixed, points=3)
    x = package.read(path).points[:, 0]
    np.testing.assert_allclose(package.read(path).point_data["u"], 0.5 * x**2, atol=1e-6)


LINE = kpinn.domains.Box(x=(0, 1))


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        (LINE, {}, "the coordinate 't' has no value: give it by fixed, or"),
        (LINE, {"fixed": {"s": 0}}, "'s' is no coordinate of the PINN: there are t, x"),
        (kpinn.domains.Box(t=(0, 1), x=(0, 1)), {"times": [0]}, "no coordinate of time"),
        (3, {}, "grid is 3: expected a domain"),
        (LINE, {"times": [0.0], "path": "a.vtu"}, "ends with .vtu, but what is written is .pvd"),
        (LINE, {"times": [0.0], "path": 3}, "path is the name of a file"),
        (LINE, {"times": [0.0], "names": "w"}, "'w'"),
        (LINE, {"times": [0.0], "names": "residual_cold"}, "cold"),
        (LINE, {"points": 1}, "points is a whole number of at least 2"),
    ],
)
def test_files_that_cannot_be_written(package, grid, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        kpinn.export_vtk(pinn_in_time(), grid, **{"path": "heat"} | options)
    assert not list(tmp_path.iterdir())


# Arrays with labels --------------------------------------------------------------------------


def test_a_dataset_has_the_axes_of_the_grid(tmp_path):
    xarray = pytest.importorskip("xarray")
    grid = {"x": np.linspace(0, 1, 4), "y": [0.0, 0.5, 1.0], "mu": 2.0}
    pinn = pinn_of_vectors(parameters="mu")
    data = kpinn.to_xarray(pinn, grid, "u, v, u_xy, hessian_u, residual_steady")
    assert data["u"].dims == ("x", "y") and data["v"].dims == ("x", "y", "v_component")
    assert data["hessian_u"].shape == (4, 3, 2, 2)
    assert data.attrs["conditions"] == "steady" and float(data["mu"]) == 2.0
    x, y = data["x"], data["y"]
    expected = {"u": x**2 * y, "u_xy": 2 * x + 0 * y, "residual_steady": 2 * y - x**2 * y}
    for name, values in expected.items():
        other = values.transpose("x", "y").astype("float32")
        xarray.testing.assert_allclose(data[name], other, rtol=1e-5)
    np.testing.assert_allclose(data["v"].sel(x=1, y=0.5), [1.0, 0.25], rtol=1e-6)
    data.to_netcdf(tmp_path / "field.nc", engine="scipy")
    again = xarray.load_dataset(tmp_path / "field.nc", engine="scipy")
    xarray.testing.assert_identical(again, data)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ([0.0], "grid is a dict from coordinate to values"),
        ({"t": 0.0}, "the coordinate 'x' has no value: give its values"),
        ({"t": 0.0, "x": 1.0, "y": 1.0}, "'y' is no coordinate of the PINN: there are t, x"),
        ({"t": 0.0, "x": [[1.0]]}, r"shape \(1, 1\) for 'x': expected \(k,\)"),
        ({"t": 0.0, "x": []}, r"shape \(0,\) for 'x'"),
    ],
)
def test_grids_that_are_none(grid, message):
    pytest.importorskip("xarray")
    with pytest.raises(ValueError, match=message):
        kpinn.to_xarray(pinn_in_time(), grid)


def test_packages_that_are_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(ImportError, match=r"pip install 'kpinn\[data\]'"):
        kpinn.to_xarray(pinn_in_time(), {"t": 0.0, "x": 0.0})
    with pytest.raises(ImportError, match=r"kpinn\[mesh\]"):
        kpinn.export_vtk(pinn_in_time(), LINE, "heat")
