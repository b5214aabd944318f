"""What the logs of a training show: the losses, metrics and unknowns."""

import keras
from keras import ops

from kpinn.derivatives.graphs.python_calls import named
from kpinn.objective.losses import is_of_classes
from kpinn.options import of_keras, shown
from kpinn.problem.points import check_known


class Logs:
    """The tracker of each condition's loss, and its metrics.

    Args:
        names: names of the conditions.
        metrics: `None`, Keras metrics for all conditions, or a dict by condition.
        dtype: dtype of the residuals.

    Attributes:
        trackers: dict from condition to the mean of its loss.
        metrics: dict from condition to a list of metrics.

    Raises:
        ValueError: for a name that is not a condition.
    """

    def __init__(self, names, metrics, dtype):
        given = metrics if isinstance(metrics, dict) else dict.fromkeys(names, metrics)
        check_known(given, names, "metrics names")
        self.trackers = {name: keras.metrics.Mean(name=name, dtype=dtype) for name in names}
        self.metrics = {name: _metrics(name, given.get(name), dtype) for name in names}

    def every(self):
        """All of them, a list of Keras metrics."""
        return [*self.trackers.values(), *(m for part in self.metrics.values() for m in part)]

    def update(self, residuals, targets):
        """Updates the metrics of the conditions that there are residuals of."""
        for name, residual in residuals.items():
            target = targets.get(name)
            target = ops.zeros_like(residual) if target is None else target
            for metric in self.metrics[name]:
                with named(f"metrics of {name!r}:"):
                    metric.update_state(target, residual)

    def names(self, conditions):
        """Names of the trackers and metrics of conditions."""
        metrics = [metric.name for name in conditions for metric in self.metrics[name]]
        return {*conditions, *metrics}


class UnknownValue(keras.metrics.Metric):
    """Shows the present value of an unknown in the logs, or one of its entries."""

    def __init__(self, name, variable, read):
        super().__init__(name=name, dtype=variable.dtype)
        # A variable as an attribute would be tracked as a state of the metric.
        self._read = lambda: read(ops.convert_to_tensor(variable))

    def update_state(self, *args, **kwargs):
        """Nothing to accumulate."""

    def reset_state(self):
        """Nothing to reset."""

    def result(self):
        """The value."""
        return self._read()


def _metrics(name, given, dtype):
    """Keras metrics under the names that Keras gives them, `"data_mae"`."""
    given = given if isinstance(given, list | tuple) else [] if given is None else [given]
    metrics = []
    for metric in given:
        found = of_keras(f"metrics of {name!r}:", keras.metrics.get, metric)
        if found is None or is_of_classes(found):
            raise ValueError(
                f"metrics of {name!r} has {shown(metric)}, which is no metric of real numbers: "
                "expected such as 'mae'."
            )
        label = metric if isinstance(metric, str) else getattr(found, "name", None)
        label = f"{name}_{label or found.__name__}"
        if isinstance(found, keras.metrics.Metric):
            config = found.get_config() | {"name": label, "dtype": dtype}
            metrics.append(type(found).from_config(config))
        else:
            metrics.append(keras.metrics.MeanMetricWrapper(found, name=label, dtype=dtype))
    return metrics
