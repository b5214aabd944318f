"""`kpinn.PINN`: a Keras model whose outputs are the residuals of its conditions."""

import inspect
import types

import keras

from kpinn.derivatives.api import resolve
from kpinn.networks import check_network
from kpinn.problem import costs, refusals, residuals
from kpinn.problem import points as data
from kpinn.problem.conditions import Function, Problem, marked, method_of
from kpinn.problem.unknowns import add_unknown
from kpinn.serving import export, prediction, saving
from kpinn.training.compiling import with_xla_if_possible
from kpinn.training.trainer import Trainer


class _Constructed(type(keras.Model)):
    """Records the constructor's arguments, and checks the names after the last `__init__`."""

    def __call__(cls, *args, **kwargs):
        pinn = super().__call__(*args, **kwargs)
        signature = inspect.signature(cls.__init__)
        arguments = dict(list(signature.bind(pinn, *args, **kwargs).arguments.items())[1:])
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments |= arguments.pop(parameter.name, {})
        pinn._plain.arguments, pinn._plain.constructed = arguments, True
        pinn._plain.unknowns_of_constructor = set(pinn.unknowns)
        pinn._check_names()
        return pinn


@keras.saving.register_keras_serializable(package="kpinn")
class PINN(Trainer, metaclass=_Constructed):
    """A physics-informed neural network: points go in, residuals of the conditions come out.

    A condition is a method marked with `@kpinn.condition`, or a function of the list
    `conditions`. The names of its arguments say what it is called with: a coordinate (`x`), a
    field (`u`), a derivative (`u_x`, `u_xxt`, `u_x1_x1`), a derivative along a direction that
    comes with the points (`u_n`), an operator over the spatial coordinates, all but `t` or `time`
    (`grad_u`, `laplacian_u`, `hessian_u`, `biharmonic_u`, `div_v`, `curl_v`, `jac_v`), a derived
    field (`@kpinn.field`), an unknown, or another array of the same points. Arguments with a
    default value keep it.

    `compile`, `fit`, `evaluate`, callbacks and saving are those of Keras. The network is always
    called with `training=False`: batch statistics and dropout have no pointwise derivative.

    Args:
        network: Keras model or layer from `(n, d)` coordinates to `(n, m)` fields.
        coordinates: names of the columns of the input, `"t x"` or `"t x[3]"`.
        fields: names of the columns of the output, `"u"` or `"v[2] p"`.
        conditions: functions, for a PINN without a subclass.
        method: how derivatives are computed, see `kpinn.derivatives`.
        allow_mixed_precision: whether to accept a network that computes in half precision.
        **kwargs: of `keras.Model`, such as `name`.

    Raises:
        ValueError: for names without meaning, a network that does not fit them, or one whose
            derivatives the method would get wrong.

    Example:

        class Heat(kpinn.PINN):
            coordinates = "t x"
            fields = "u"

            @kpinn.condition
            def heat(self, u_t, u_xx):
                return u_t - u_xx

            @kpinn.condition
            def start(self, x, u):
                return u - ops.sin(math.pi * x)

        box = kpinn.domains.Box(t=(0, 1), x=(0, 1))
        pinn = Heat(kpinn.networks.MLP(units=20, depth=4))
        pinn.compile("adam", loss_weights={"start": 10.0})
        pinn.fit({"heat": box.sample(1000), "start": box.face(t=0).sample(100)}, epochs=100)
    """

    coordinates = None
    fields = None
    method = "auto"

    def __init__(
        self,
        network,
        coordinates=None,
        fields=None,
        conditions=(),
        method="auto",
        allow_mixed_precision=False,
        **kwargs,
    ):
        names = coordinates or self._declared("coordinates"), fields or self._declared("fields")
        dtype = check_network(network, *names, allow_mixed_precision)
        super().__init__(**{"dtype": dtype} | kwargs)
        # A plain namespace, because Keras would track what is in it as state of the model.
        state = types.SimpleNamespace(unknowns={}, functions={}, scales={}, sizes={})
        state.objective = state.metrics = state.loss = None
        state.constructed = state.jit_compile = state.minimizing = False
        state.training_data = None
        self._plain = state
        self.coordinates, self.fields = names
        self.method = self.method if method == "auto" else method
        self.network = network
        derived = [Function(getattr(self, name), "field") for name in marked(type(self), "field")]
        state.problem = Problem(
            network, self.coordinates, self.fields, derived, state.unknowns, state.scales
        )
        state.problem.step = self._step
        methods = [getattr(self, name) for name in marked(type(self), "condition")]
        functions = [Function(function, "condition") for function in (*methods, *conditions)]
        refusals.check_conditions(self, functions)
        state.conditions = {function.name: function for function in functions}
        state.methods = {f.name: resolve(method_of(f, self.method)) for f in functions}
        # XLA would compile a forward accumulator anew in each step.
        self.supports_jit = "forward" not in state.methods.values()
        self.built = True

    def _declared(self, what):
        if getattr(type(self), what) is None:
            raise ValueError(
                f"{type(self).__name__} names no {what}: set the class attribute "
                f"({what} = 't x', for example) or pass {what}=."
            )
        return getattr(type(self), what)

    def _check_names(self):
        """Errors that need the unknowns too: called when the last `__init__` is done."""
        problem = self._plain.problem
        problem.check_fields()
        for name, function in self.conditions.items():
            problem.resolve(function, "condition")
            refusals.refuse_wrong_derivatives(problem, function, self._plain.methods[name], 2)

    # What it consists of --------------------------------------------------------------------

    @property
    def conditions(self):
        """Dict from name to condition, in the order of their definition."""
        return dict(self._plain.conditions)

    @property
    def unknowns(self):
        """Dict from name to Keras variable, the unknowns of an inverse problem."""
        return dict(self._plain.unknowns)

    def unknown(self, name, initial, positive=False):
        """Adds an unknown scalar, which is trained with the network.

        A condition gets it by naming it as an argument; its value is in the logs.

        Args:
            name: its name.
            initial: its first value.
            positive: whether to keep it positive (at least a millionth of `initial`).

        Returns:
            The Keras variable.

        Raises:
            ValueError: for a name that is taken, or a value that does not fit.
        """
        state = self._plain
        state.problem.space.check_new_name(name)
        if name in state.unknowns or name in self.conditions or name == "loss":
            raise ValueError(f"unknown {name!r}: the name is taken.")
        if self.compiled and self.optimizer.built:
            raise ValueError(
                f"unknown {name!r}: the optimizer has begun without it. Add unknowns before "
                "training, in the constructor for example."
            )
        variable = add_unknown(self, name, initial, positive, state.problem.dtype.name)
        state.unknowns[name] = variable
        state.functions.clear()
        if state.constructed:
            self._check_names()
        return variable

    # The model ------------------------------------------------------------------------------

    def build(self, input_shape=None):
        """Nothing to do: the network is built with the PINN."""

    def call(self, points, training=None):
        """Residuals of the conditions.

        Args:
            points: dict from condition to a dict of arrays `(n, k)`; or one dict of arrays for
                all conditions.
            training: not used; the network is called with `training=False`.

        Returns:
            A dict from condition to tensor `(n, k)`.
        """
        return residuals.on_sets(self, points)

    def residuals_at(self, names, arrays):
        """Residuals of the named conditions on one set of points, as tensors.

        Conditions with the same method share one evaluation of the derivatives.

        Args:
            names: names of conditions.
            arrays: dict from name to tensor `(n, k)` or `(n,)`.

        Returns:
            A dict from condition to tensor `(n, k)`.
        """
        return residuals.residuals_at(self, names, arrays)

    def cached(self, key, make):
        """What `make()` returns, kept until `compile`, a new unknown or other scales."""
        functions = self._plain.functions
        if key not in functions:
            functions[key] = make()
        return functions[key]

    def describe(self, print_fn=print):
        """Prints what the derivatives of each condition cost, and by what they are computed.

        The unit is one pass of the points through the network: one per channel of Taylor
        coefficients, one per point of a finite-difference stencil. Beside the chosen method stand
        finite differences and nested tapes. Below are the derivatives that are propagated as one
        operator, and operations of the network without a rule.

        Args:
            print_fn: what is called with the text.

        Raises:
            ValueError: if the network has an operation without a derivative at a point.

        Example:

            pinn.describe()
        """
        print_fn(costs.describe(self))

    # After training -------------------------------------------------------------------------

    def residuals(self, points, batch_size=prediction.BATCH):
        """Residuals at points, minus the targets that are given with them.

        Args:
            points: as in `fit`, with targets too; some conditions may be left out.
            batch_size: most points at a time.

        Returns:
            A dict from condition to numpy array `(n, k)`.
        """
        return prediction.residuals(self, self._prepare(points), batch_size)

    def predict(self, x, batch_size=prediction.BATCH, **kwargs):
        """Residuals, the outputs of the model; see `predict_fields` for the solution."""
        if data.is_stream(x):
            return with_xla_if_possible(self, lambda: keras.Model.predict(self, x, **kwargs), x)
        return self.residuals(x, batch_size)

    def predict_fields(self, points, names=None, batch_size=prediction.BATCH):
        """Fields and any of their derivatives at points.

        Args:
            points: dict of arrays `(n,)` or `(n, k)`, the coordinates and the directions.
            names: `"u, u_x"`; by default all fields.
            batch_size: most points at a time.

        Returns:
            A dict from name to numpy array, `(n, 1)` or as `kpinn.derivatives` says.

        Example:

            u_x = pinn.predict_fields({"t": t, "x": x}, "u_x")["u_x"]
        """
        return prediction.predict_fields(self, points, names, batch_size)

    def export(self, path, derivatives=None):
        """Writes a SavedModel that is served without kpinn and without Keras.

        Its signatures are `"serving_default"` (the fields), `"derivatives"` and
        `"residual_<condition>"` for each condition. Inputs are named by coordinate, `(None, 1)`,
        and by the arrays and directions that a condition asks for.

        Args:
            path: directory to write.
            derivatives: names such as `"u_x, u_xx"`; by default those that conditions ask for.

        Raises:
            ValueError: for a name without meaning.

        Example:

            pinn.export("heat")
            served = tf.saved_model.load("heat")
            served.signatures["derivatives"](t=t, x=x)["u_xx"]
        """
        export.export(self, path, derivatives)

    def get_config(self):
        """The constructor's arguments and the unknowns added later."""
        return saving.config(self)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The inverse of `get_config`."""
        return saving.from_config(cls, config, custom_objects)
