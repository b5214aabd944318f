"""`kpinn.PINN`: a Keras model whose outputs are the residuals of its conditions."""

import os

import keras
import numpy as np
import tensorflow as tf

from kpinn.backend.files import written_whole
from kpinn.backend.keras_private import (
    leave_untracked,
    loss_tracker,
    replace_loss_tracker,
    writes_file,
)
from kpinn.derivatives.api import resolve
from kpinn.derivatives.names.space import Space
from kpinn.derivatives.tensorflow_private import without_retracing_warning
from kpinn.objective.gradients import gradients_or_zeros
from kpinn.objective.losses import divided, replicas
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.result import MinimizeResult
from kpinn.optimizers.stages import current
from kpinn.options import function as check_function
from kpinn.options import names as names_of
from kpinn.options import shown
from kpinn.options.arrays import without_lists
from kpinn.options.configs import call_of, faults_of
from kpinn.problem import costs, reads, refusals, replacing, streams
from kpinn.problem import points as data
from kpinn.problem.unknowns import add_unknown, readings
from kpinn.serving import export, keras_files, limits, prediction, saving, weight_files
from kpinn.training import adaptation, arguments, batches, changes, construction
from kpinn.training import fit as training
from kpinn.training.check_network import check_network
from kpinn.training.compiling import may_use_xla, with_xla_if_possible
from kpinn.training.devices import check_devices
from kpinn.training.flat import flat_step
from kpinn.training.logs import UnknownValue
from kpinn.training.nonfinite import apply_finite
from kpinn.training.regularization import losses_of_regularizers, regularization
from kpinn.training.replicas.checks import check_compile, refuse_keras_loop
from kpinn.training.replicas.evaluation import predict
from kpinn.training.replicas.strategies import is_divided, scope_of
from kpinn.training.state import compiled_settings, settings_of, step_number
from kpinn.training.trained import build_optimizer
from kpinn.training.workers import keras_loop
from kpinn.training.workers.roles import of_chief

Names = str | list[str] | tuple[str, ...] | None  # of columns, "t x" or ["t", "x[3]"]
Arrays = dict[str, np.ndarray]
FIXED = "coordinates", "fields", "method", "network", "parameters"  # what names mean


@keras.saving.register_keras_serializable(package="kpinn")
class PINN(keras.Model):
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
        parameters: names of the columns of the input behind the coordinates that tell the problems
            of a family apart, `"mu"`: they are no space, so that no operator (`laplacian_u`) and
            no normal has them; `u_mu` may be asked for. One value is repeated for all points.
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

    coordinates: Names = None
    fields: Names = None
    parameters: Names = None
    method: object = "auto"

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__init__ = construction.completed(cls.__init__, cls)

    def __init__(
        self,
        network,
        coordinates=None,
        fields=None,
        conditions=(),
        method="auto",
        allow_mixed_precision=False,
        parameters=None,
        **kwargs,
    ):
        names = construction.names_of(type(self), coordinates, fields, parameters)
        dtype = check_network(network, Space(*names), allow_mixed_precision)
        super().__init__(**{"dtype": dtype} | kwargs)
        leave_untracked(self, PINN)  # a solution that is there already: not to be trained again
        self.coordinates, self.fields, self.parameters = names
        is_auto = isinstance(method, str) and method == "auto"
        self.method = self.method if is_auto else method
        self.network = network
        self._state = construction.first_state(self, conditions)
        # XLA would compile a forward accumulator anew in each step.
        self.supports_jit = "forward" not in [f.method for f in self.conditions.values()]
        self.built = True

    # What it consists of --------------------------------------------------------------------

    @property
    def problem(self):
        """What is to be solved, see `kpinn.problem`; another object after each change."""
        return self._state.problem

    @property
    def objective(self):
        """What is minimised, see `kpinn.objective`; another object after each change."""
        return changes.objective(self)

    @property
    def conditions(self):
        """Dict from name to condition, in the order of their definition."""
        return dict(self.problem.conditions)

    @property
    def unknowns(self):
        """Dict from name to Keras variable, the unknowns of an inverse problem."""
        return dict(self.problem.unknowns)

    def unknown(self, name, initial, positive=False, lower=None, upper=None):
        """Adds an unknown, a number or an array, which is trained with the network.

        A condition gets it by naming it as an argument; it is in the logs, an array by its entries
        (`k[0]`), or by its norm (`k[norm]`) if these are more than 20. All optimizers keep bounds.

        Args:
            name: its name.
            initial: its first value: a number, or an array, whose shape it has.
            positive: whether to keep it positive (at least a millionth of `initial`).
            lower: a bound, a number or an array like `initial`; minus infinity is none.
            upper: likewise.

        Returns:
            The Keras variable.

        Raises:
            ValueError: for a name that is taken, or a value or bounds that do not fit.
        """
        problem = self.problem
        refusals.refuse_new_unknown(problem, name)
        if self.compiled and self.optimizer.built:
            raise ValueError(
                f"unknown {name!r}: the optimizer has begun without it. Add unknowns before "
                "training, in the constructor for example."
            )
        limits = {"positive": positive, "lower": lower, "upper": upper}
        variable = add_unknown(self, name, initial, limits, problem.dtype.name)
        changes.replace_problem(self, unknowns=problem.unknowns | {name: variable})
        if self._state.arguments is not None:  # the constructor has ended
            construction.check_names(self)
        return variable

    def declare_trained(self, *variables) -> None:
        """Says that a `train_step` of yours trains variables which are no attributes of the model.

        Without it a loss that depends on them is refused, since they would stay as they are.

        Args:
            *variables: Keras or TensorFlow variables.

        Example:

            pinn.declare_trained(weights)
        """
        for each in variables:
            if not isinstance(each, keras.Variable | tf.Variable):
                raise ValueError(f"variables are Keras or TensorFlow variables, not {shown(each)}.")
        self._state.trained_elsewhere += variables

    # What changes ----------------------------------------------------------------------------

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        return reads.attribute(self, name, value) if reads.ACTIVE.readers else value

    def __setattr__(self, name, value):
        if name in FIXED and "_state" in vars(self) and value is not getattr(self, name):
            raise ValueError(
                f"{name} cannot be set: the conditions have been read with the one that the PINN "
                "was made with. Make another PINN; set_weights takes the weights along."
            )
        super().__setattr__(name, value)
        if "_state" in vars(self) and self._state.reads.has_read(name):
            changes.notice(self)

    # The model ------------------------------------------------------------------------------

    def build(self, input_shape=None):
        """Nothing to do: the network is built with the PINN."""

    @tf.autograph.experimental.do_not_convert
    def __call__(self, points, *args, **kwargs):
        """As of any Keras model; lists of numbers are arrays in the dtype of the network."""
        return super().__call__(without_lists("points", points), *args, **kwargs)

    def call(self, points, training=None):
        """Residuals of the conditions.

        Args:
            points: dict from condition to a dict of arrays `(n, k)`; or one dict of arrays for
                all conditions.
            training: not used; the network is called with `training=False`.

        Returns:
            A dict from condition to tensor `(n, k)`.
        """
        return self.problem.residuals(points, step_number(self))

    @tf.autograph.experimental.do_not_convert
    def residuals_at(self, names, arrays):
        """Residuals of the named conditions on one set of points, as tensors.

        Conditions with the same method share one evaluation of the derivatives.

        Args:
            names: names of conditions.
            arrays: dict from name to tensor `(n, k)` or `(n,)`.

        Returns:
            A dict from condition to tensor `(n, k)`.
        """
        given = names_of("names", names, "heat")
        listed = [given] if isinstance(given, str) else given
        data.check_known(listed, list(self.conditions), "names has")
        return self.problem.residuals_at(listed, arrays, step_number(self))

    def describe(self, print_fn=print) -> None:
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
        check_function("print_fn", print_fn, "print")
        with self._state.reads.constant():
            print_fn(costs.describe(self.problem, self._state.widths))

    def summary(self, line_length=None, positions=None, print_fn=None, **kwargs) -> None:
        """As in Keras; below it stand the conditions with their arguments, and the unknowns."""
        super().summary(line_length, positions, print_fn, **kwargs)
        (print_fn or print)(costs.listed(self.problem))

    # Training -------------------------------------------------------------------------------

    @property
    def loss_weights(self):
        """Dict from condition to Keras variable; assigning one takes effect without a retrace."""
        return dict(compiled_settings(self).losses.weights)

    def compile(
        self,
        optimizer="adam",
        loss=None,
        loss_weights=None,
        metrics=None,
        jit_compile="auto",
        steps_per_execution="auto",
        run_eagerly=False,
        nonfinite="raise",
        **kwargs,
    ):
        """Configures the training, as in Keras.

        Args:
            optimizer: a Keras optimizer, or one of `kpinn.optimizers`.
            loss: a Keras loss for all conditions, or a dict by condition; by default the mean
                square of the residual (minus the target, where there is one).
            loss_weights: dict from condition to number; by default one. They become variables,
                see `loss_weights`.
            metrics: metrics by condition, `{"data": ["mae"]}`, or for all.
            jit_compile: whether XLA compiles the training; `"auto"` switches it on unless a layer
                does not support it, or a condition uses `method="forward"`, which XLA would
                compile anew in each step; and off with a warning where XLA fails to compile.
            steps_per_execution: steps in one call of the compiled function, between which no
                batch hook of a callback runs; `"auto"` takes all steps of an epoch where the
                points are arrays, and one otherwise.
            run_eagerly: whether to run without a graph, to debug.
            nonfinite: what `fit` does where the loss, its gradient or a weight is NaN or infinite.
                The update is not made, and the model has the last finite weights. `"raise"` says
                what was not finite first in a `kpinn.NonFiniteError`; `"stop"` ends `fit`, and
                `result` says it; `"rollback"` goes back to weights with a finite loss and on with
                half the learning rate, three times at most, then it raises.
            **kwargs: of `keras.Model.compile`, such as `auto_scale_loss`.

        Raises:
            ValueError: for arguments that do not fit, and on a GPU for a recurrent layer that
                cuDNN would compute where the loss has derivatives.
        """
        with scope_of(self):  # where an optimizer that is named is made
            optimizer, steps_per_execution = arguments.of_compile(
                optimizer, jit_compile, steps_per_execution, run_eagerly, kwargs
            )
        check_devices(self)
        jit = jit_compile
        if jit == "auto":
            jit = not run_eagerly and may_use_xla(self)
        check_compile(self, optimizer, jit_compile)
        rest = {"jit_choice": jit_compile, "jit_compile": jit, "nonfinite": nonfinite}
        rest["steps_per_execution"] = steps_per_execution
        with scope_of(self):
            self._state.settings = settings_of(self.problem, loss, loss_weights, metrics, **rest)
            tracker = keras.metrics.Mean(name="loss", dtype=self.problem.dtype.name)
        super().compile(
            optimizer=optimizer,
            jit_compile=jit and not isinstance(optimizer, FlatOptimizer),
            steps_per_execution=1 if steps_per_execution == "auto" else steps_per_execution,
            run_eagerly=run_eagerly,
            **kwargs,
        )
        self._state.trained = None
        replace_loss_tracker(self, tracker)
        changes.forget_compiled(self)

    @property
    def metrics(self):
        """Keras's metrics, the loss of each condition and the value of each unknown."""
        if self._state.settings is None:
            return super().metrics
        unknowns = [
            UnknownValue(label, variable, read)
            for name, variable in self.unknowns.items()
            for label, read in readings(name, variable).items()
        ]
        return super().metrics + self._state.settings.logs.every() + unknowns

    @property
    def losses(self):
        """Those of the regularizers of weights; those of activities are evaluated with the loss."""
        return losses_of_regularizers(self)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The weighted sum of the conditions' losses; updates their trackers.

        In a replica of Keras's own loop it is that replica's part of the sum, as in Keras.

        Args:
            x: points.
            y: targets by condition, or `None`.
            y_pred: residuals by condition.
            sample_weight: sample weights by condition, or `None`.
            training: not used.

        Returns:
            A scalar tensor.
        """
        settings = compiled_settings(self)
        terms = settings.losses.terms(y_pred, y or {}, sample_weight or {})
        for name, term in terms.items():
            count = tf.shape(y_pred[name])[0]
            whole = divided(term, settings.losses.parts(name) / replicas())
            settings.logs.trackers[name].update_state(whole, sample_weight=count)
        return settings.losses.total(terms, regularization(self, x))

    def train_step(self, batch):
        """One step of the optimizer on a batch, as in Keras; open to be overridden."""
        optimizer = current(self.optimizer)
        if isinstance(optimizer, FlatOptimizer):
            return flat_step(self, streams.as_data(batch), stale=tf.constant(True))
        x, y, sample_weight = streams.as_data(batch).parts
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = optimizer.scale_loss(loss)
        changes.refuse_untrained(self, tape.watched_variables())
        gradients = gradients_or_zeros(tape, scaled, self.trainable_variables)
        apply_finite(self, loss, gradients, streams.as_data(batch))
        return self._step_logs(loss, x, y, sample_weight, y_pred)

    def _maybe_symbolic_build(self, *args, **kwargs):
        if not keras_loop.needs_help(self):
            super()._maybe_symbolic_build(*args, **kwargs)

    def _make_function(self, step_function):
        return super()._make_function(keras_loop.with_vectors(self, step_function))

    def make_train_function(self, force=False):
        """As in Keras."""
        refuse_keras_loop(self, "train_on_batch", "fit")
        super().make_train_function(force)
        without_retracing_warning(self.train_function)

    def make_test_function(self, force=False):
        """As in Keras."""
        refuse_keras_loop(self, "test_on_batch", "evaluate")
        super().make_test_function(force)
        without_retracing_warning(self.test_function)

    def make_predict_function(self, force=False):
        """As in Keras."""
        super().make_predict_function(force)
        without_retracing_warning(self.predict_function)

    def test_step(self, batch):
        """One step of `evaluate`."""
        x, y, sample_weight = streams.as_data(batch).parts
        y_pred = self(x, training=False)
        loss = self.compute_loss(x, y, y_pred, sample_weight, training=False)
        return self._step_logs(loss, x, y, sample_weight, y_pred)

    def _step_logs(self, loss, x, y, sample_weight, y_pred):
        count = tf.shape(tf.nest.flatten(x)[0])[0]
        loss_tracker(self).update_state(divided(loss, 1 / replicas()), sample_weight=count)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def compute_metrics(self, x=None, y=None, y_pred=None, sample_weight=None):
        """Updates the metrics and returns the logs, those of the conditions in `y_pred` only.

        Args:
            x: points.
            y: targets by condition, or `None`.
            y_pred: residuals by condition.
            sample_weight: not used by metrics.
        """
        logs = compiled_settings(self).logs
        logs.update(y_pred, y or {})
        absent = logs.names([name for name in self.conditions if name not in y_pred])
        found = self.get_metrics_result()
        return {name: value for name, value in found.items() if name not in absent}

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
            x: points: a dict from condition to a dict of arrays `(n, 1)`, where conditions with
                equal points share the derivatives there; one such dict of arrays for all
                conditions; a tuple `(points, targets)` or `(points, targets, sample_weight)`; or a
                dataset or generator of those. In the place of a dict of arrays, `stream(n)` of a
                `kpinn.domains.Domain` or `Part` draws points anew in each step.
            y: targets by condition; the residual minus the target is trained towards zero.
            batch_size: points of each condition in a step, by default all of them; or a dict by
                condition, `{"heat": 1_000}`, where those that are left out take all. There the set
                with the most batches makes an epoch; others begin again, in a new order.
            epochs: number of epochs; with the optimizers of kpinn an epoch is an iteration.
            verbose: as in Keras.
            callbacks: Keras callbacks.
            validation_split: refused, it has no meaning for sets of points.
            validation_data: points, or points and targets; some conditions may be left out.
            shuffle: whether mini-batches are drawn in a new order in each epoch.
            class_weight: refused, it has no meaning for points.
            sample_weight: arrays `(n,)` by condition.
            initial_epoch: epoch to begin with.
            steps_per_epoch: by default one for full batches, else what the largest set needs.
            validation_freq: epochs from one validation to the next.
            **kwargs: of `keras.Model.fit`: `validation_steps`, and others for datasets.

        Returns:
            A `keras.callbacks.History` with the keys `"loss"`, one per condition and unknown.

        Raises:
            ValueError: by name, for points, targets or settings that cannot work, before the
                first step.
        """
        schedule = {
            "batch_size": batch_size,
            "steps_per_epoch": steps_per_epoch,
            "shuffle": shuffle,
        }
        settings = kwargs | {
            "epochs": epochs,
            "verbose": verbose,
            "callbacks": callbacks,
            "validation_split": validation_split,
            "validation_data": validation_data,
            "class_weight": class_weight,
            "initial_epoch": initial_epoch,
            "validation_freq": validation_freq,
        }
        schedule, settings = arguments.of_fit(x, schedule, settings)
        changes.notice(self)
        given = x, y, sample_weight
        with scope_of(self):
            return training.fit(self, PINN.train_step, given, schedule, settings)

    def adapt(self, x, y=None, sample_weight=None):
        """Puts random features into the box of points and chooses their scale, as the first `fit`.

        Of each scale on a grid (half powers of two from one on, over half the width of the box, and
        smaller ones while they are better) a part of the features is fitted to a part of the
        points, by least squares; the scale whose residuals at other points are smallest is taken,
        then each column's is varied. The solution is not looked at. Scales that were given stay.

        Args:
            x: points of all conditions, as in `fit`, as arrays.
            y: targets by condition.
            sample_weight: sample weights by condition.

        Returns:
            A dict from the name of each `kpinn.layers.RandomFeatures` whose scale was chosen to a
            tuple of its `scale`, the `residual` and all that were `tried`.

        Raises:
            ValueError: before `compile`, whose loss weights count; for losses that are no mean
                squares; and for a network that is not linear in what is trained.

        Example:

            pinn.compile(kpinn.optimizers.LevenbergMarquardt())
            (found,) = pinn.adapt(points).values()
            print(found.scale, found.residual)
        """
        compiled_settings(self)
        changes.notice(self)
        return adaptation.adapt(self, self.prepare(x, y, sample_weight, every=True))

    def train_on_batch(self, x, *args, **kwargs):
        """One step on a batch, as in Keras.

        Args:
            x: points, as in `fit`.
            *args: as in Keras.
            **kwargs: as in Keras.

        Returns:
            The loss, or the logs by name.

        Raises:
            NonFiniteError: if the step is not finite; the weights are those before.
        """
        return batches.train_on_batch(
            self, lambda: super(PINN, self).train_on_batch(x, *args, **kwargs)
        )

    def evaluate(self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs):
        """Losses at points, as in Keras; `return_dict=True` gives them by name.

        Args:
            x: as in `fit`; some conditions may be left out.
            y: targets by condition.
            batch_size: for datasets, as in Keras.
            sample_weight: sample weights by condition.
            **kwargs: of `keras.Model.evaluate`.
        """
        kwargs = arguments.of_evaluate(x, batch_size, kwargs)
        changes.notice(self)
        with scope_of(self):
            return training.evaluate(self, x, y, batch_size, sample_weight, kwargs)

    def prepare(self, x, y=None, sample_weight=None, every=False):
        """Points, targets and sample weights as `fit` takes them, checked, as tensors.

        Args:
            x: points, or a tuple with targets and sample weights.
            y: targets by condition.
            sample_weight: sample weights by condition.
            every: whether each condition must have points.

        Returns:
            A `kpinn.problem.points.Data`.

        Raises:
            ValueError: by name, for a missing, empty, non-finite or misshapen array.
        """
        return data.prepare(self.problem, x, y, sample_weight, every)

    @property
    def result(self) -> MinimizeResult | None:
        """How the last `fit` ended, a `kpinn.optimizers.MinimizeResult`; `None` before.

        Example:

            pinn.fit(points, epochs=1_000)
            print(pinn.result.code, pinn.result.message)
        """
        return self._state.result

    @property
    def training_points(self):
        """The points that `fit` trains on now, as it took them; for callbacks.

        Example:

            residuals = pinn.residuals(pinn.training_points)
        """
        return training.training_data(self).points

    def replace_points(self, x, y=None, sample_weight=None) -> None:
        """Trains on other points from the next epoch on; for callbacks.

        Args:
            x: points as in `fit`. Conditions that are left out keep theirs.
            y: targets by condition; conditions with new points have no others.
            sample_weight: sample weights by condition; likewise.

        Raises:
            ValueError: as in `fit`, and if the optimizer needs the same points in each step.

        Example:

            def draw(epoch, logs):
                pinn.replace_points({"heat": box.sample(1_000, seed=epoch)})

            pinn.fit(points, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=draw)])
        """
        new = self.prepare(x, y, sample_weight)
        training.train_on(self, replacing.replaced(training.training_data(self), new))

    def replace_weights(self, sample_weight) -> None:
        """Trains with other sample weights from the next epoch on; for callbacks.

        Args:
            sample_weight: arrays `(n,)` by condition. Conditions that are left out keep theirs.

        Raises:
            ValueError: as in `fit`, and if the optimizer needs the same weights in each step.

        Example:

            weights = {"heat": np.exp(-t)}
            pinn.replace_weights(weights)
        """
        old = training.training_data(self)
        new = self.prepare(old.points, None, sample_weight).sample_weight
        training.train_on(self, replacing.with_weights(old, new))

    # After training -------------------------------------------------------------------------

    def _prediction(self):
        changes.notice(self)
        return prediction.Prediction(self.problem, self._state.compiled, step_number(self))

    def residuals(self, points, batch_size=prediction.BATCH) -> Arrays:
        """Residuals at points, minus the targets that are given with them.

        Args:
            points: as in `fit`, with targets too; some conditions may be left out.
            batch_size: most points at a time; a condition that takes its points together, as with
                a mean over them, gets all of them at a time.

        Returns:
            A dict from condition to numpy array `(n, k)`.
        """
        return self._prediction().residuals(self.prepare(points), batch_size)

    def predict(self, x, batch_size=None, **kwargs):
        """Residuals, the outputs of the model; see `predict_fields` for the solution.

        Args:
            x: points, as in `residuals`, or a dataset.
            batch_size: most points at a time.
            **kwargs: of `keras.Model.predict`, for a dataset.

        Returns:
            A dict from condition to numpy array `(n, k)`.
        """
        kwargs = arguments.of_evaluate(x, batch_size, kwargs)
        changes.notice(self)
        if streams.is_stream(x):
            training.check_stream(self, x, every=False)
            if is_divided(self):
                return predict(self, x, kwargs.get("steps"))
            return with_xla_if_possible(self, lambda: keras.Model.predict(self, x, **kwargs), x)
        return self.residuals(x, prediction.BATCH if batch_size is None else batch_size)

    def predict_fields(self, points, names=None, batch_size=prediction.BATCH) -> Arrays:
        """Fields and any of their derivatives at points.

        Args:
            points: dict of arrays `(n,)` or `(n, k)`, the coordinates and the directions; a
                parameter may be one number.
            names: `"u, u_x"`; by default all fields.
            batch_size: most points at a time.

        Returns:
            A dict from name to numpy array, `(n, 1)` or as `kpinn.derivatives` says.

        Example:

            u_x = pinn.predict_fields({"t": t, "x": x}, "u_x")["u_x"]
        """
        return self._prediction().fields(points, names, resolve(self.method), batch_size)

    def export(
        self, filepath, format=export.USUAL, verbose=None, input_signature=None, derivatives=None
    ) -> str | None:
        """Writes fields, derivatives and residuals for programs without kpinn and without Keras.

        A SavedModel and a LiteRT file (in float32) have the signatures `"serving_default"` (the
        fields), `"derivatives"` and `"residual_<condition>"`, with coordinates `(n, 1)` and arrays
        as inputs by name. An ONNX file is one graph, whose inputs are the coordinates, the
        directions of `derivatives` and what `input_signature` names; other conditions are left out.

        Args:
            filepath: folder, or file that ends with `.onnx` or `.tflite`; it is replaced whole.
            format: `"tf_saved_model"`; `"onnx"` or `"litert"`, which are compared with the model.
            verbose: whether to print where the export is; by default not.
            input_signature: dict from names to `keras.InputSpec`; by default any number of points.
            derivatives: names such as `"u_x, u_xx"`; by default those that conditions ask for.

        Returns:
            The SHA-256 of the file or of the folder's manifest; `None` of workers but the chief.

        Raises:
            ValueError: for a name without meaning, a folder with other files, and an operation
                that the format cannot express or does more than compute (`tf.py_function`).

        Example:

            pinn.export("heat.onnx", format="onnx", derivatives="u_x")
            served = kpinn.load_export("heat", pinn.export("heat"))
        """
        options = format, verbose, input_signature, derivatives
        with of_chief(self.distribute_strategy) as writes, self._state.reads.constant():
            given = self.problem, resolve(self.method), self.variables, self._state.widths
            return export.export(*given, filepath, options) if writes else None

    def get_config(self):
        """The constructor's arguments and the unknowns added later."""
        state = self._state
        first = state.first_unknowns
        later = {name: v for name, v in self.unknowns.items() if name not in first}
        return saving.config(state.arguments, later, self.problem.scales) | {"name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The inverse of `get_config`; `ValueError`, by entry, for what that would not return."""
        with faults_of(cls), limits.limited_variables(limits.WEIGHTS):
            arguments, unknowns, scales = saving.from_config(config, custom_objects)
            limits.check_call(arguments.get("network"), saving.columns(cls, arguments))
            positional, by_name = call_of(cls.__init__, arguments)
            pinn = cls(*positional, **by_name)
            for unknown in unknowns:
                pinn.unknown(**unknown)
            scales = saving.checked_scales(scales, pinn.problem.space.coordinates)
            changes.set_scales(pinn, scales)
            return pinn

    def get_build_config(self):
        """What Keras asks for when it writes a file; there is nothing to build."""
        if writes_file():
            saving.refuse_unregistered_class(type(self))

    def get_compile_config(self):
        """The arguments of `compile`, with the present loss weights."""
        if not self.compiled:
            return None
        if not self.optimizer.built:  # it is loaded with its variables
            build_optimizer(self)
        return saving.compile_config(self.optimizer, self._state.settings, self.run_eagerly)

    def compile_from_config(self, config):
        """Compiles as the saved model was compiled; the optimizer gets its variables."""
        with faults_of(type(self)), limits.limited_variables(limits.OPTIMIZER):
            self.compile(**saving.compile_arguments(config))
            limits.check_optimizer(self.optimizer, self.trainable_variables)
            build_optimizer(self)

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Writes a `.keras` file, as in Keras, but whole or not at all.

        A file that was there stays until the new one is complete. Of several workers only the
        chief writes.

        Args:
            filepath: name of the file.
            overwrite: as in Keras.
            zipped: as in Keras.
            **kwargs: as in Keras.

        Raises:
            ValueError: for a model that could not be loaded again: with a lambda in it, or with a
                function or a class that is not registered with Keras.
        """
        keras_files.check_name(filepath, zipped)
        with of_chief(self.distribute_strategy) as writes:
            if not writes:
                return
            if zipped is False or not overwrite:
                return super().save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)
            with written_whole(os.path.realpath(filepath)) as new:
                super().save(new, zipped=zipped, **kwargs)

    def save_weights(self, filepath, *args, **kwargs):
        """As in Keras; of several workers only the chief writes."""
        with of_chief(self.distribute_strategy) as writes:
            if writes:
                super().save_weights(filepath, *args, **kwargs)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Loads weights, as in Keras, which reads nothing before the file was looked at.

        Args:
            filepath: name of a `.weights.h5` or `.keras` file.
            skip_mismatch: as in Keras.
            **kwargs: as in Keras.

        Raises:
            ValueError: for a file that is none of weights of this model.
        """
        keras_files.check_weights_name(filepath)
        with weight_files.faults_of(str(filepath)):
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)

    def load_own_variables(self, store):
        """The first thing that Keras loads of a file of weights: all of it is checked here."""
        weight_files.check_store(store)
        super().load_own_variables(store)


PINN.__init__ = construction.completed(PINN.__init__, PINN)
