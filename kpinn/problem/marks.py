"""Conditions and derived fields, as a user writes them: functions with a mark."""

from kpinn.options import function as check_function
from kpinn.options import one_of, positive_whole

MARK = "_kpinn"  # the attribute of a function with its kind and its options


def condition(function=None, *, method=None, over="points"):
    """Marks a method of a `kpinn.PINN` (or a function) as a condition: it returns residuals.

    The names of its arguments say what it is called with: a coordinate (`x`), a field (`u`), a
    derivative (`u_xx`), an operator (`laplacian_u`), an unknown, or an array of the same points.

    Args:
        function: takes tensors `(n, 1)` and returns residuals `(n, 1)` or `(n, k)`.
        method: how its derivatives are computed; by default as the model's `method` says.
        over: `"points"`, or `"set"` for what concerns all points at once, such as an integral: it
            returns one residual, a number, `(k,)` or `(1, k)`. Its points are never divided into
            batches; it has one loss, one row of the Jacobian for each column, and one target.

    Raises:
        TypeError: if it is no function.
        ValueError: for another `over`.

    Example:

        @kpinn.condition
        def heat(self, u_t, u_xx):
            return u_t - u_xx

        @kpinn.condition(over="set")
        def mass(self, u, w):  # with w, the weights of a quadrature
            return ops.sum(w * u) - 1.0
    """
    return _mark(function, "condition", method, one_of("over", over, ("points", "set")))


def field(function=None, *, size=1):
    """Marks a method of a `kpinn.PINN` as a derived field, a function of the coordinates.

    Conditions and other derived fields may ask for it and for its derivatives.

    Args:
        function: takes what a condition takes, but no arrays that come with points.
        size: its number of components.

    Example:

        @kpinn.field
        def flux(self, x, u_x):
            return (1.0 + x) * u_x
    """
    return _mark(function, "field", positive_whole("size", size))


def _mark(function, kind, *options):
    def mark(function):
        check_function(kind, getattr(function, "__func__", function), "def equation(u)")
        setattr(function, MARK, (kind, *options))
        return function

    return mark if function is None else mark(function)


def option(function):
    """What a function was marked with: the method of a condition, the size of a derived field."""
    return getattr(function, MARK, (None, None))[1]


def is_over_set(function):
    """Whether a condition concerns all points of a set at once."""
    return getattr(function, MARK, ())[2:] == ("set",)


def marked(cls, kind):
    """Names of the methods of `cls` that are marked, those of base classes first."""
    names = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if getattr(value, MARK, (None, None))[0] == kind:
                names[name] = None
            else:
                names.pop(name, None)
    return list(names)


def name_of(function, kind):
    """The name of a condition or derived field; `ValueError` for a function without one."""
    name = getattr(function, "__name__", type(function).__name__)
    if name == "<lambda>":
        raise ValueError(f"a {kind} needs a name for its loss: use def, not lambda.")
    return name
