"""`kpinn.PINN`: a Keras model whose outputs are the residuals of its conditions."""

import inspect
import types

import keras
import numpy as np
import tensorflow as tf

from kpinn import data as data_module
from kpinn import export as export_module
from kpinn import training
from kpinn.conditions import Function, Problem, marked, method_of, serialize_method
from kpinn.data import Data
from kpinn.derivatives.api import resolve, stopped_message
from kpinn.derivatives.finite_difference import FiniteDifference
from kpinn.derivatives.requests import parse, split_names
from kpinn.derivatives.stop_gradient import stopped_moments
from kpinn.losses import Objective
from kpinn.networks import check_network
from kpinn.optimizers import ScipyMinimize
from kpinn.unknowns import UnknownValue, add_unknown

PREDICTION_BATCH = 16_384


class _Constructed(type(keras.Model)):
    """Records the arguments of the constructor, and checks the names after the last `__init__`."""

    def __call__(cls, *args, **kwargs):
        pinn = super().__call__(*args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(pinn, *args, **kwargs)
        arguments = dict(list(bound.arguments.items())[1:])
        for parameter in inspect.signature(cls.__init__).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments |= arguments.pop(parameter.name, {})
        pinn._plain.arguments = arguments
        pinn._plain.built_in_unknowns = set(pinn.unknowns)
        pinn._check_names()
        return pinn


@keras.saving.register_keras_serializable(package="kpinn")
class PINN(keras.Model, metaclass=_Constructed):
    """A physics-informed neural network: points go in, residuals of the conditions come out.

    A condition is a method marked with `@kpinn.condition`, or a function of the list
    `conditions`. The names of its arguments say what it is called with: a coordinate (`x`), a
    field (`u`), a derivative (`u_x`, `u_xxt`, `u_x1_x1`), a derivative along a direction that
    comes with the points (`u_n`), an operator over the spatial coordinates, all but `t` or `time`
    (`grad_u`, `laplacian_u`, `hessian_u`, `biharmonic_u`, `div_v`, `curl_v`, `jac_v`), a derived
    field (`@kpinn.field`), an unknown, or another array of the same points. Arguments with a
    default value keep it.

    `compile`, `fit`, `evaluate`, callbacks, saving are those of Keras. Networks are always called
    with `training=False`, because batch statistics and dropout have no pointwise derivative.

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
        kwargs.setdefault("dtype", getattr(network, "dtype_policy", None))
        super().__init__(**kwargs)
        self._plain = types.SimpleNamespace(
            unknowns={}, functions={}, metrics=None, objective=None, scales={}, sizes={}
        )
        self.coordinates = coordinates or self._declared("coordinates")
        self.fields = fields or self._declared("fields")
        self.method = self.method if method == "auto" else method
        derived = [Function(getattr(self, name), "field") for name in marked(type(self), "field")]
        network = check_network(network, self.coordinates, self.fields, allow_mixed_precision)
        self.network = network
        self._plain.problem = Problem(
            network, self.coordinates, self.fields, derived, self._plain.unknowns
        )
        methods = [getattr(self, name) for name in marked(type(self), "condition")]
        functions = [Function(function, "condition") for function in (*methods, *conditions)]
        self._plain.conditions = {function.name: function for function in functions}
        self._check_conditions(functions)
        self.built = True

    def _declared(self, what):
        if getattr(type(self), what) is None:
            raise ValueError(
                f"{type(self).__name__} names no {what}: set the class attribute, such as "
                f"{what} = {'t x'!r}, or pass {what}=."
            )
        return getattr(type(self), what)

    def _check_conditions(self, functions):
        if not functions:
            raise ValueError(
                f"{type(self).__name__} has no condition: mark a method with @kpinn.condition or "
                "pass conditions=[...]."
            )
        names = [function.name for function in functions]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated or "loss" in names:
            raise ValueError(f"conditions need names of their own, not {repeated or 'loss'}.")
        for function in functions:
            resolve(method_of(function, self.method))

    def _check_names(self):
        """Errors that need the unknowns too: called when the last `__init__` is done."""
        problem = self._plain.problem
        for derived in problem.derived.values():
            problem.resolve(derived, "field")
        problem.check_fields()
        for function in self.conditions.values():
            problem.resolve(function, "condition")
            self._refuse_wrong_derivatives(function, orders_from=2)

    def _refuse_wrong_derivatives(self, function, orders_from):
        method, order = self._method(function), self._plain.problem.order(function)
        if isinstance(method, FiniteDifference) or order < orders_from:
            return
        network = self._plain.problem.network
        size = self._plain.problem.space.input_size
        stopped = stopped_moments(network, size, self._plain.problem.dtype)
        if stopped:
            what = f"condition {function.name!r} (derivatives of order {order})"
            raise ValueError(stopped_message(stopped, method, what))

    def _method(self, function):
        return resolve(method_of(function, self.method))

    # What it consists of --------------------------------------------------------------------

    @property
    def conditions(self):
        """Dict from name to condition, in the order of their definition."""
        return self._plain.conditions

    @property
    def unknowns(self):
        """Dict from name to Keras variable, the unknowns of an inverse problem."""
        return dict(self._plain.unknowns)

    @property
    def loss_weights(self):
        """Dict from condition to Keras variable; assigning one takes effect without a retrace."""
        self._assert_compiled()
        return dict(self._plain.objective.weights)

    def unknown(self, name, initial, positive=False):
        """Adds an unknown scalar, which is trained with the network.

        A condition gets it by naming it as an argument, its value is in the logs.

        Args:
            name: its name.
            initial: its first value.
            positive: whether to keep it positive (at least a millionth of `initial`).

        Returns:
            The Keras variable.

        Raises:
            ValueError: for a name that is taken, or a value that does not fit.
        """
        self._plain.problem.space.check_new_name(name)
        if name in self._plain.unknowns or name in self.conditions or name == "loss":
            raise ValueError(f"unknown {name!r}: the name is taken.")
        variable = add_unknown(self, name, initial, positive, self._plain.problem.dtype.name)
        self._plain.unknowns[name] = variable
        self._plain.functions.clear()
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
        if data_module.is_shared(points):
            return self._residuals(list(self.conditions), points)
        residuals = {}
        for name in self.conditions:
            if name in points:
                residuals |= self._residuals([name], points[name])
        return residuals

    def _residuals(self, names, arrays):
        """Residuals on one set of points; conditions of one method share one evaluation."""
        arrays = {n: a if a.shape.rank == 2 else tf.reshape(a, (-1, 1)) for n, a in arrays.items()}
        by_method = {}
        for name in names:
            by_method.setdefault(repr(self._method(self.conditions[name])), []).append(name)
        residuals = {}
        for group in by_method.values():
            functions = [self.conditions[name] for name in group]
            wanted = [argument for function in functions for argument in function.arguments]
            values = self._plain.problem.values(wanted, arrays, self._method(functions[0]))
            for function in functions:
                arguments = {name: values[name] for name in function.arguments}
                residual = function.function(**arguments)
                residuals[function.name] = self._checked(function, residual, arrays)
        return {name: residuals[name] for name in names}

    def _checked(self, function, residual, arrays):
        """A residual as a tensor `(n, k)`."""
        points = next(iter(arrays.values()))
        if isinstance(residual, dict | list | tuple) or residual is None:
            raise ValueError(
                f"condition {function.name!r} returned {type(residual).__name__}: expected one "
                "tensor (n, 1) or (n, k); put several equations side by side with "
                "ops.concatenate([a, b], axis=1)."
            )
        dtype = self._plain.problem.dtype
        residual = tf.cast(tf.convert_to_tensor(residual), dtype)
        shape, count = residual.shape, points.shape[0]
        if shape.rank == 1:
            residual = residual[:, None]
        fits = shape.rank in (1, 2) and (None in (shape[0], count) or shape[0] == count)
        if fits and shape.rank == 2 and count != 1:
            fits = shape[1] is not None and not (shape[1] == count and count > 64)
        if not fits:
            raise ValueError(
                f"condition {function.name!r} returned the shape {tuple(shape)} for {count} "
                f"points: expected ({count}, 1) or ({count}, k). An array (n,) that meets a "
                "(n, 1) is broadcast to (n, n): give it the shape (n, 1)."
            )
        return residual

    # Training -------------------------------------------------------------------------------

    def compile(
        self,
        optimizer="adam",
        loss=None,
        loss_weights=None,
        metrics=None,
        jit_compile="auto",
        steps_per_execution="auto",
        run_eagerly=False,
        **kwargs,
    ):
        """Configures the training, as in Keras.

        Args:
            optimizer: a Keras optimizer or `kpinn.optimizers.ScipyMinimize`.
            loss: a Keras loss for all conditions, or a dict by condition; by default the mean
                square of the residual (minus the target, where there is one).
            loss_weights: dict from condition to number; by default one. They become variables,
                see `loss_weights`.
            metrics: metrics by condition, `{"data": ["mae"]}`.
            jit_compile: whether XLA compiles the step; `"auto"` switches it on except for
                `method="forward"`, which XLA would compile anew in each step.
            steps_per_execution: steps in one call of the compiled function, between which no
                batch hook of a callback runs; `"auto"` takes all steps of an epoch where the
                points are arrays, and one otherwise.
            run_eagerly: whether to run without a graph, to debug.
            **kwargs: of `keras.Model.compile`, such as `auto_scale_loss`.
        """
        if jit_compile == "auto":
            jit_compile = not run_eagerly and self._may_jit()
        plain = self._plain
        plain.objective = Objective(
            list(self.conditions), loss, loss_weights, self._plain.problem.dtype.name
        )
        plain.metrics, plain.steps_per_execution = metrics, steps_per_execution
        plain.given_loss = loss
        super().compile(
            optimizer=optimizer,
            loss=None,
            metrics=metrics,
            jit_compile=jit_compile,
            steps_per_execution=1 if steps_per_execution == "auto" else steps_per_execution,
            run_eagerly=run_eagerly,
            **kwargs,
        )
        _replace_loss_tracker(self, keras.metrics.Mean(name="loss", dtype=plain.problem.dtype.name))
        plain.functions.clear()

    def _may_jit(self):
        methods = [self._method(function) for function in self.conditions.values()]
        return "forward" not in methods and self._distribute_strategy is None

    @property
    def metrics(self):
        """Keras's metrics, the loss of each condition and the value of each unknown."""
        metrics = super().metrics
        if self._plain.objective is not None:
            metrics = metrics + list(self._plain.objective.trackers.values())
            metrics += [UnknownValue(name, v) for name, v in self._plain.unknowns.items()]
        return metrics

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The weighted sum of the conditions' losses; updates their trackers.

        Args:
            x: points.
            y: targets by condition, or `None`.
            y_pred: residuals by condition.
            sample_weight: sample weights by condition, or `None`.
            training: not used.

        Returns:
            A scalar tensor.
        """
        self._assert_compiled()
        terms = self._plain.objective.terms(y_pred, y or {}, sample_weight or {})
        for name, term in terms.items():
            count = tf.shape(y_pred[name])[0]
            self._plain.objective.trackers[name].update_state(term, sample_weight=count)
        return self._plain.objective.total(terms, self.losses)

    def train_step(self, data):
        """One step on a batch, as in Keras; open to be overridden."""
        x, y, sample_weight = _as_data(data)
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        self._loss_tracker.update_state(loss, sample_weight=_rows(x))
        variables = self.trainable_variables
        gradients = training.gradients_or_zeros(tape, scaled, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return self.compute_metrics(x, _with_zeros(y, y_pred), y_pred, sample_weight or None)

    def test_step(self, data):
        """One step of `evaluate`."""
        x, y, sample_weight = _as_data(data)
        y_pred = self(x, training=False)
        loss = self.compute_loss(x, y, y_pred, sample_weight, training=False)
        self._loss_tracker.update_state(loss, sample_weight=_rows(x))
        return self.compute_metrics(x, _with_zeros(y, y_pred), y_pred, sample_weight or None)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_freq=1,
        **kwargs,
    ):
        """Trains, as in Keras.

        Args:
            x: points: a dict from condition to a dict of arrays `(n, 1)`, one such dict of arrays
                for all conditions, a tuple `(points, targets)` or `(points, targets,
                sample_weight)`, or a dataset or generator of those.
            y: targets by condition; the residual minus the target is trained towards zero.
            batch_size: points of each condition in a step; by default all of them.
            steps_per_epoch: by default one for full batches.
            sample_weight: arrays `(n,)` by condition.
            epochs, verbose, callbacks, validation_data, shuffle, initial_epoch, validation_freq:
                as in Keras. With `ScipyMinimize` one epoch is one iteration.
            validation_split, class_weight: refused, they have no meaning for points.
            **kwargs: of `keras.Model.fit`, for datasets.

        Returns:
            A `keras.callbacks.History` with the keys `"loss"`, one per condition and unknown.

        Raises:
            ValueError: by name, for points, targets or settings that cannot work, before the
                first step.
        """
        self._assert_compiled()
        self._check_settings(validation_split, class_weight)
        common = {
            "epochs": epochs,
            "verbose": verbose,
            "callbacks": callbacks,
            "initial_epoch": initial_epoch,
        }
        if data_module.is_plain(x) or not hasattr(x, "__iter__"):
            data = self._prepare(x, y, sample_weight, every=True)
            self._check_start(data)
            if self._runs_on_arrays():
                schedule = training.Schedule(data, batch_size, steps_per_epoch, shuffle)
                return self._fit_arrays(data, schedule, validation_data, validation_freq, **common)
            x = tf.data.Dataset.from_tensors(tuple(data)).repeat()
            steps_per_epoch = steps_per_epoch or 1
        self._check_dataset(x)
        if validation_data is not None and data_module.is_plain(validation_data):
            validation_data = self._as_dataset(validation_data)
        return super().fit(
            x,
            steps_per_epoch=steps_per_epoch,
            validation_data=validation_data,
            validation_freq=validation_freq,
            **common,
            **kwargs,
        )

    def _runs_on_arrays(self):
        """Whether nothing asks for Keras's own loop."""
        own_step = type(self).train_step is PINN.train_step
        return self._minimizes() or (own_step and self._distribute_strategy is None)

    def _minimizes(self):
        return isinstance(self.optimizer, ScipyMinimize)

    def _fit_arrays(
        self,
        data,
        schedule,
        validation_data,
        validation_freq,
        epochs,
        verbose,
        callbacks,
        initial_epoch,
    ):
        if self._minimizes() and schedule.steps * (schedule.batch_size or 1) != 1:
            raise ValueError(
                "ScipyMinimize takes all points in one step per epoch: leave out batch_size and "
                f"steps_per_epoch ({schedule.batch_size}, {schedule.steps})."
            )
        validate = self._validation(validation_data, validation_freq)
        callbacks = training.Callbacks(self, callbacks, verbose, epochs, schedule.steps)
        self.stop_training = False
        callbacks.list.on_train_begin()
        initial_epoch = _restored_epoch(self) or initial_epoch
        logs, result = {}, None
        if self._minimizes():
            logs, result = training.fit_minimizer(
                self, data, callbacks, epochs, initial_epoch, validate
            )
        else:
            logs = training.fit_epochs(
                self, data, schedule, callbacks, epochs, initial_epoch, validate
            )
            self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.list.on_train_end(logs)
        if result is not None and verbose and result.code != "iteration_limit":
            print(result.message)
        return self.history

    def _validation(self, validation_data, frequency):
        if validation_data is None:
            return None
        dataset = validation_data
        if data_module.is_plain(validation_data):
            dataset = self._as_dataset(validation_data)

        def validate(epoch):
            due = (
                (epoch + 1) % frequency == 0
                if isinstance(frequency, int)
                else epoch + 1 in frequency
            )
            if not due:
                return {}
            kept = self.stop_training
            logs = super(PINN, self).evaluate(dataset, verbose=0, return_dict=True)
            self.stop_training = kept
            return {f"val_{name}": value for name, value in logs.items()}

        return validate

    def _as_dataset(self, x, y=None, sample_weight=None):
        return tf.data.Dataset.from_tensors(tuple(self._prepare(x, y, sample_weight)))

    def _prepare(self, x, y=None, sample_weight=None, every=False):
        return data_module.prepare(self._plain.problem, self.conditions, x, y, sample_weight, every)

    def _check_settings(self, validation_split, class_weight):
        if validation_split or class_weight is not None:
            raise ValueError(
                "validation_split and class_weight have no meaning for sets of points: pass "
                "validation_data, or sample_weight by condition."
            )
        for function in self.conditions.values():
            self._refuse_wrong_derivatives(function, orders_from=1)
        random = [
            layer.name
            for layer in self.network._flatten_layers()
            if isinstance(layer, _NOT_POINTWISE) and layer.trainable
        ]
        if random:
            raise ValueError(
                f"the network has {', '.join(random)}: dropout, noise and batch statistics have "
                "no pointwise derivative, and without them the layer does nothing in training. "
                "Leave the layer out, or set trainable = False to use it as in inference."
            )

    def _check_start(self, data):
        """One evaluation before training: shapes, names, and finite residuals."""
        self._remember(data)
        residuals = self(data.points)
        for name, residual in residuals.items():
            bad = int(tf.reduce_sum(tf.cast(~tf.math.is_finite(residual), tf.int32)))
            if bad:
                raise ValueError(
                    f"condition {name!r} is NaN or infinite at {bad} of {residual.shape[0]} "
                    "points before the first step: look at the points where it divides, takes a "
                    "root or a logarithm."
                )
            if name in data.targets and data.targets[name].shape != residual.shape:
                raise ValueError(
                    f"targets of {name!r} have the shape {tuple(data.targets[name].shape)}, but "
                    f"the condition returns {tuple(residual.shape)}."
                )
        self.compute_metrics(data.points, _with_zeros(data.targets, residuals), residuals, None)
        self.reset_metrics()
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def _remember(self, data):
        """Keeps what later calls need: the scales of coordinates and the widths of arrays."""
        plain = self._plain
        scales = data_module.scales(data.points, plain.problem.space.coordinates)
        scales = {name: max(value, plain.scales.get(name, 0.0)) for name, value in scales.items()}
        if scales != plain.scales:
            plain.functions.clear()
            self.train_function = self.test_function = None
        plain.scales = plain.problem.scales = scales
        sets = [data.points] if data_module.is_shared(data.points) else data.points.values()
        for arrays in sets:
            plain.sizes |= {name: array.shape[1] for name, array in arrays.items()}

    def _check_dataset(self, x):
        """Checks the first element of a dataset; a generator is left alone."""
        element = None
        if isinstance(x, tf.data.Dataset):
            element = next(iter(x.take(1)), None)
            if element is None:
                raise ValueError("the dataset of points is empty.")
        elif isinstance(x, keras.utils.PyDataset):
            element = x[0]
        if element is not None:
            if isinstance(element, tuple | list):
                element = tuple(part if part else None for part in element)
            self._check_start(self._prepare(element, every=True))
        elif not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    # What `training` asks for ---------------------------------------------------------------

    @property
    def steps_in_one_call(self):
        """The user's `steps_per_execution`, or `None` for whole epochs."""
        steps = self._plain.steps_per_execution
        return None if steps == "auto" else steps

    def cached(self, key, make):
        """A compiled function that is kept until `compile` or other scales."""
        functions = self._plain.functions
        if key not in functions:
            functions[key] = make()
        return functions[key]

    def terms(self, data):
        """The loss of each condition, a dict of scalars."""
        return self._plain.objective.terms(self(data.points), data.targets, data.sample_weight)

    def total(self, terms):
        """The weighted sum of `terms`, with regularization."""
        return self._plain.objective.total(terms, self.losses)

    def logs_at_point(self, data, terms):
        """Logs for weights whose losses are known already."""
        logs = terms | {name: float(v.numpy()) for name, v in self._plain.unknowns.items()}
        if self._plain.metrics is not None:
            self.reset_metrics()
            step = self.cached("test", lambda: tf.function(self.test_step))
            step(data)
            logs = {name: float(v) for name, v in self.get_metrics_result().items()} | logs
        return logs

    # After training -------------------------------------------------------------------------

    def evaluate(self, x=None, y=None, verbose="auto", sample_weight=None, **kwargs):
        """Losses at points, as in Keras; `return_dict=True` gives them by name.

        Args:
            x: as in `fit`; some conditions may be left out.
            y: targets.
            verbose, **kwargs: as in Keras.
            sample_weight: sample weights.
        """
        if data_module.is_plain(x):
            kwargs.pop("batch_size", None)
            x, y, sample_weight = self._as_dataset(x, y, sample_weight), None, None
        return super().evaluate(x, y, verbose=verbose, sample_weight=sample_weight, **kwargs)

    def residuals(self, points, batch_size=PREDICTION_BATCH):
        """Residuals at points.

        Args:
            points: as in `fit`; some conditions may be left out.
            batch_size: most points at a time.

        Returns:
            A dict from condition to numpy array `(n, k)`.
        """
        points = self._prepare(points).points
        if data_module.is_shared(points):
            return self._in_batches(tuple(self.conditions), points, batch_size)
        found = {}
        for name, arrays in points.items():
            found |= self._in_batches((name,), arrays, batch_size)
        return found

    def _in_batches(self, names, arrays, batch_size):
        compute = self.cached(
            ("residuals", names), lambda: self._graph(lambda a: self._residuals(list(names), a))
        )
        return _batched(compute, arrays, batch_size)

    def _graph(self, function):
        return function if self.run_eagerly else tf.function(function, reduce_retracing=True)

    def predict(self, x, batch_size=None, **kwargs):
        """Residuals, the outputs of the model; see `predict_fields` for the solution."""
        if data_module.is_plain(x):
            return self.residuals(x, batch_size or PREDICTION_BATCH)
        return super().predict(x, batch_size=batch_size, **kwargs)

    def predict_fields(self, points, names=None, batch_size=PREDICTION_BATCH):
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
        problem = self._plain.problem
        names = split_names(names or list(problem.space.fields))
        arrays = data_module.one_set("points", points, problem)
        for name in names:
            parse(name, problem.space, [a for a in arrays if a not in problem.space.coordinates])
        method = resolve(self.method)
        compute = self.cached(
            ("fields", names), lambda: self._graph(lambda a: problem.values(names, a, method))
        )
        return _batched(compute, arrays, batch_size)

    def export(self, path, derivatives=None):
        """Writes a SavedModel that is served without kpinn and without Keras.

        Its signatures are `"serving_default"` (the fields), `"derivatives"` and
        `"residual_<condition>"` for each condition; inputs are named by coordinate, `(None, 1)`,
        and by the arrays and directions that a condition asks for.

        Args:
            path: directory to write.
            derivatives: names such as `"u_x, u_xx"`; by default those that the conditions ask for.

        Example:

            pinn.export("heat")
            served = tf.saved_model.load("heat")
            served.signatures["derivatives"](t=t, x=x)["u_x"]
        """
        export_module.export(self, path, derivatives)

    # Saving ---------------------------------------------------------------------------------

    def get_config(self):
        """The constructor's arguments, the unknowns added later and the scales of the points."""
        arguments = dict(self._plain.arguments)
        if "method" in arguments:
            arguments["method"] = serialize_method(arguments["method"])
        for function in arguments.get("conditions", ()):
            _refuse_unregistered(function)
        config = {
            name: keras.saving.serialize_keras_object(value) for name, value in arguments.items()
        }
        later = [
            UnknownValue.describe(name, variable)
            for name, variable in self._plain.unknowns.items()
            if name not in self._plain.built_in_unknowns
        ]
        return config | {"name": self.name, "unknowns": later, "scales": dict(self._plain.scales)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The inverse of `get_config`."""
        config = dict(config)
        later, scales = config.pop("unknowns", ()), config.pop("scales", {})
        config = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            for name, value in config.items()
        }
        pinn = cls(**config)
        for arguments in later:
            pinn.unknown(**arguments)
        pinn._plain.scales = pinn._plain.problem.scales = dict(scales)
        return pinn

    def get_compile_config(self):
        """The arguments of `compile`, with the present loss weights."""
        plain = self._plain
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        return {
            "optimizer": serialize(self.optimizer),
            "loss": serialize(plain.given_loss),
            "loss_weights": {n: float(v.numpy()) for n, v in plain.objective.weights.items()},
            "metrics": serialize(plain.metrics),
            "jit_compile": self.jit_compile,
            "steps_per_execution": plain.steps_per_execution,
            "run_eagerly": self.run_eagerly,
        }

    def compile_from_config(self, config):
        """Compiles as the saved model was compiled."""
        arguments = {
            name: keras.saving.deserialize_keras_object(value) for name, value in config.items()
        }
        self.compile(**arguments)
        self.optimizer.build(self.trainable_variables)

    def _assert_compiled(self):
        if self._plain.objective is None:
            raise ValueError("compile the PINN first: pinn.compile('adam').")


_NOT_POINTWISE = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.BatchNormalization,
)


def _as_data(data):
    if isinstance(data, Data):
        return data
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    return Data(x, y or {}, sample_weight or {})


def _rows(points):
    return tf.shape(tf.nest.flatten(points)[0])[0]


def _with_zeros(targets, residuals):
    """Targets of all conditions, which Keras's metrics need."""
    targets = targets or {}
    return {name: targets.get(name, tf.zeros_like(r)) for name, r in residuals.items()}


def _batched(compute, arrays, batch_size):
    count = next(iter(arrays.values())).shape[0]
    parts = []
    for start in range(0, count, batch_size):
        part = {name: array[start : start + batch_size] for name, array in arrays.items()}
        parts.append({name: value.numpy() for name, value in compute(part).items()})
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _refuse_unregistered(function):
    if keras.saving.get_registered_name(function) == getattr(function, "__name__", None):
        raise ValueError(
            f"condition {function.__name__!r} is a function that cannot be saved by value: "
            "decorate it with @keras.saving.register_keras_serializable(), or make the condition "
            "a method of a subclass of kpinn.PINN."
        )


def _replace_loss_tracker(model, tracker):
    """Keras makes its tracker in `floatx`; this one has the dtype of the loss (private name)."""
    object.__setattr__(model, "_loss_tracker", tracker)


def _restored_epoch(model):
    """The epoch that `keras.callbacks.BackupAndRestore` restored, if any (private name)."""
    return getattr(model, "_initial_epoch", None)
