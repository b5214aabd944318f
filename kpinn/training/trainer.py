"""The training of a PINN: `compile`, `fit` and `evaluate`, as far as they are not Keras's own."""

import keras
import tensorflow as tf

from kpinn.keras_private import loss_tracker, replace_loss_tracker
from kpinn.objective import functions_of_theta
from kpinn.objective.curvature import check_losses
from kpinn.objective.losses import Objective
from kpinn.optimizers.flat_optimizer import FlatOptimizer
from kpinn.optimizers.scipy.optimizer import ScipyOptimizer
from kpinn.optimizers.sequence import Sequence, current, stages
from kpinn.problem import points as data
from kpinn.problem import refusals, residuals
from kpinn.problem.unknowns import UnknownValue
from kpinn.serving import saving
from kpinn.training import epochs as loops
from kpinn.training.compiling import may_use_xla, with_xla_if_possible


class Trainer(keras.Model):
    """Base class of `PINN`, which has conditions, a problem and a state in `_plain`."""

    @property
    def loss_weights(self):
        """Dict from condition to Keras variable; assigning one takes effect without a retrace."""
        return dict(self._objective.weights)

    @property
    def _objective(self):
        self._require_compiled()
        return self._plain.objective

    def _require_compiled(self):
        if self._plain.objective is None:
            raise ValueError("compile the PINN first, for example pinn.compile('adam').")

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
            **kwargs: of `keras.Model.compile`, such as `auto_scale_loss`.
        """
        state = self._plain
        dtype = state.problem.dtype.name
        names = list(self.conditions)
        doubled = [name for name in names if len(residuals.draws(state.methods[name])) == 2]
        state.objective = Objective(names, loss, loss_weights, metrics, dtype, doubled)
        state.loss, state.metrics = loss, metrics
        state.steps_per_execution = steps_per_execution
        state.jit_choice = jit_compile
        if jit_compile == "auto":
            jit_compile = not run_eagerly and may_use_xla(self)
        state.jit_compile = jit_compile
        optimizer = keras.optimizers.get(optimizer)
        super().compile(
            optimizer=optimizer,
            jit_compile=jit_compile and not isinstance(optimizer, FlatOptimizer),
            steps_per_execution=1 if steps_per_execution == "auto" else steps_per_execution,
            run_eagerly=run_eagerly,
            **kwargs,
        )
        replace_loss_tracker(self, keras.metrics.Mean(name="loss", dtype=dtype))
        state.functions.clear()

    @property
    def metrics(self):
        """Keras's metrics, the loss of each condition and the value of each unknown."""
        metrics = super().metrics
        if self._plain.objective is not None:
            losses = self._plain.objective
            metrics = metrics + list(losses.trackers.values())
            metrics += [metric for part in losses.metrics.values() for metric in part]
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
        terms = self._objective.terms(y_pred, y or {}, sample_weight or {})
        for name, term in terms.items():
            count = tf.shape(y_pred[name])[0]
            self._objective.trackers[name].update_state(term, sample_weight=count)
        return self._objective.total(terms, self.losses)

    def train_step(self, batch):
        """One step of the optimizer on a batch, as in Keras; open to be overridden."""
        optimizer = self._at_work()
        if isinstance(optimizer, FlatOptimizer):
            return functions_of_theta.train_step(self, data.as_data(batch), stale=tf.constant(True))
        x, y, sample_weight = data.as_data(batch).parts
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = functions_of_theta.gradients_or_zeros(tape, scaled, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return self._step_logs(loss, x, y, y_pred, sample_weight)

    def test_step(self, batch):
        """One step of `evaluate`."""
        x, y, sample_weight = data.as_data(batch).parts
        y_pred = self(x, training=False)
        loss = self.compute_loss(x, y, y_pred, sample_weight, training=False)
        return self._step_logs(loss, x, y, y_pred, sample_weight)

    def _step_logs(self, loss, x, y, y_pred, sample_weight):
        count = tf.shape(tf.nest.flatten(x)[0])[0]
        loss_tracker(self).update_state(loss, sample_weight=count)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def compute_metrics(self, x=None, y=None, y_pred=None, sample_weight=None):
        """Updates the metrics and returns the logs, those of the conditions in `y_pred` only.

        Args:
            x: points.
            y: targets by condition, or `None`.
            y_pred: residuals by condition.
            sample_weight: not used by metrics.
        """
        self._objective.update_metrics(y_pred, y or {})
        missing = [name for name in self.conditions if name not in y_pred]
        absent = self._objective.names_in_logs(missing)
        logs = self.get_metrics_result()
        return {name: value for name, value in logs.items() if name not in absent}

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
                dataset or generator of those.
            y: targets by condition; the residual minus the target is trained towards zero.
            batch_size: points of each condition in a step; by default all of them.
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
        self._check_settings(validation_split, class_weight)
        common = {
            "epochs": epochs,
            "verbose": verbose,
            "callbacks": callbacks,
            "initial_epoch": initial_epoch,
            "validation_data": self._validation_dataset(validation_data),
            "validation_freq": validation_freq,
        }
        if data.is_stream(x):
            self._check_stream(x)
            common["shuffle"] = shuffle and isinstance(x, keras.utils.PyDataset)
        else:
            arrays = self._prepare(x, y, sample_weight, every=True)
            self._check_start(arrays)
            if loops.runs_on_arrays(self, Trainer):
                schedule = loops.Schedule(arrays, batch_size, steps_per_epoch, shuffle)
                loops.fit(self, arrays, schedule, **common, **kwargs)
                return self.history
            x, steps_per_epoch = data.as_dataset(arrays, batch_size), steps_per_epoch or 1
            common["shuffle"] = False
        return loops.fit_by_keras(self, x, steps_per_epoch=steps_per_epoch, **common, **kwargs)

    @property
    def training_points(self):
        """The points that `fit` trains on now, as it took them; for callbacks.

        Example:

            residuals = pinn.residuals(pinn.training_points)
        """
        return self._training_data.points

    @property
    def _training_data(self):
        if self._plain.training_data is None:
            raise ValueError("there are no points yet: call fit with arrays first.")
        return self._plain.training_data

    def replace_points(self, x, y=None, sample_weight=None):
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
        new = self._prepare(x, y, sample_weight)
        self._train_on(data.replaced(self._training_data, new))

    def replace_weights(self, sample_weight):
        """Trains with other sample weights from the next epoch on; for callbacks.

        Args:
            sample_weight: arrays `(n,)` by condition. Conditions that are left out keep theirs.

        Raises:
            ValueError: as in `fit`, and if the optimizer needs the same weights in each step.

        Example:

            weights = {"heat": np.exp(-t)}
            pinn.replace_weights(weights)
        """
        points, targets, weights = self._training_data.parts
        new = self._prepare(points, None, sample_weight).sample_weight
        self._train_on(data.Data(points, targets, weights | new))

    def _refuse_changes(self, what):
        if self._plain.minimizing:
            raise ValueError(
                f"{type(self._at_work()).__name__} needs the same {what} in each iteration: "
                "replace them between two calls of fit or before its first epoch, or use an "
                "optimizer that works in steps, such as kpinn.optimizers.SSBroyden."
            )

    def _train_on(self, arrays):
        self._refuse_changes("points and weights")
        self._plain.training_data = arrays
        if isinstance(self._at_work(), FlatOptimizer):
            self._at_work().stale.assign(True)

    def _prepare(self, x, y=None, sample_weight=None, every=False):
        return data.prepare(self._plain.problem, self.conditions, x, y, sample_weight, every)

    def _validation_dataset(self, points):
        if points is None or data.is_stream(points):
            return points
        return data.as_dataset(self._prepare(points), repeat=False)

    def _check_settings(self, validation_split, class_weight):
        self._require_compiled()
        refusals.check_settings(self.network, validation_split, class_weight)
        for name, function in self.conditions.items():
            method = self._plain.methods[name]
            refusals.refuse_wrong_derivatives(self._plain.problem, function, method, 1)

    def _check_stream(self, stream):
        """Checks the first element of a dataset; what cannot be read twice is left alone."""
        if isinstance(self.optimizer, ScipyOptimizer | Sequence):
            raise ValueError(
                f"{type(self.optimizer).__name__} needs points in memory: pass arrays, not "
                f"{type(stream).__name__}."
            )
        element = data.first_element(stream)
        if element is not None:
            self._check_start(self._prepare(element, every=True))
        else:
            self._build_optimizer()

    def _check_start(self, arrays):
        """Evaluates once before training; builds metrics and optimizer before the first trace."""
        self._remember(arrays)
        for optimizer, _ in stages(self.optimizer, 0):
            check_losses(self, arrays, optimizer)
        residuals = self.call(arrays.points)  # as it is: Keras would wrap its errors
        refusals.check_start(arrays, residuals)
        self._step_logs(0.0, arrays.points, arrays.targets, residuals, None)
        self.reset_metrics()
        self._build_optimizer()

    def _build_optimizer(self):
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        if any(isinstance(each, FlatOptimizer) for each, _ in stages(self.optimizer, 0)):
            functions_of_theta.evaluator_of(self)

    def evaluate(self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs):
        """Losses at points, as in Keras; `return_dict=True` gives them by name.

        Args:
            x: as in `fit`; some conditions may be left out.
            y: targets by condition.
            batch_size: for datasets, as in Keras.
            sample_weight: sample weights by condition.
            **kwargs: of `keras.Model.evaluate`.
        """
        if not data.is_stream(x):
            x = data.as_dataset(self._prepare(x, y, sample_weight), repeat=False)
            y = batch_size = sample_weight = None
        arguments = {"y": y, "batch_size": batch_size, "sample_weight": sample_weight} | kwargs
        return with_xla_if_possible(self, lambda: keras.Model.evaluate(self, x, **arguments), x)

    # The state of the training --------------------------------------------------------------

    def _step(self):
        """The number of the training step; a minimizer keeps its objective as it is."""
        if not self.compiled or isinstance(self._at_work(), ScipyOptimizer | FlatOptimizer):
            return 0
        return tf.convert_to_tensor(self._at_work().iterations)

    def _at_work(self):
        """The optimizer of the present stage."""
        return current(self.optimizer)

    def _use(self, optimizer):
        """Begins a stage of a `Sequence`."""
        if isinstance(self.optimizer, Sequence):
            self.optimizer.enter(optimizer)

    def _remember(self, arrays):
        """Keeps the scales of the coordinates and the widths of the arrays."""
        state = self._plain
        scales = data.scales(arrays.points, state.problem.space.coordinates)
        scales = {name: max(value, state.scales.get(name, 0.0)) for name, value in scales.items()}
        if scales != state.scales:  # compiled functions hold the scales as constants
            state.scales.update(scales)
            state.functions.clear()
            self.train_function = self.test_function = None
        for values in [arrays.points] if data.is_shared(arrays.points) else arrays.points.values():
            state.sizes |= {name: array.shape[1] for name, array in values.items()}

    # Saving ---------------------------------------------------------------------------------

    def get_compile_config(self):
        """The arguments of `compile`, with the present loss weights."""
        return saving.compile_config(self) if self.compiled else None

    def compile_from_config(self, config):
        """Compiles as the saved model was compiled."""
        saving.compile_from_config(self, config)
