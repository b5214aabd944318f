"""What an evaluation knows beside the function and the points."""

import dataclasses

import tensorflow as tf

from kpinn.derivatives.columns import half_range
from kpinn.derivatives.names.space import Space

COMMON = "kpinn_common_to_all_points"  # scope of the steps of differences, which follow all points


@dataclasses.dataclass(frozen=True)
class Context:
    """Facts that the derivative methods need.

    Attributes:
        space: the `Space` of coordinates and fields.
        epsilon: machine epsilon of the least precise dtype that the function computes in.
        scales: typical sizes of the coordinates by name (half the range); `{}` where they are to
            be taken from the points.
        inner_order: highest order of the derivatives that the function itself is made of.
        step: integer tensor, the training step for which random directions are drawn.
    """

    space: Space
    epsilon: float
    scales: dict = dataclasses.field(default_factory=dict)
    inner_order: int = 0
    step: tf.Tensor | int = 0

    def name(self, axis):
        """Name of an axis."""
        if isinstance(axis, str):
            return axis
        columns = self.space.coordinates.items()
        return next(name for name, part in columns if part.start <= axis < part.stop)

    def scale(self, axis, points, directions):
        """The scale of a coordinate, or of the parameter along a direction: a scalar tensor."""
        if isinstance(axis, int):
            return self._column_scale(axis, points)
        columns = [self._column_scale(i, points) for i in range(points.shape[1])]
        reach = tf.reduce_max(tf.abs(directions[axis]) / tf.stack(columns))
        return 1.0 / tf.where(reach > 0, reach, 1.0)

    def least_step(self, axis, points):
        """The relative step below which `x + h` is rounded away at coordinates far from zero."""
        points = tf.stop_gradient(points)  # a step that depends on all points is no function of one
        columns = range(points.shape[1]) if isinstance(axis, str) else [axis]
        sizes = [tf.abs(points[:, i]) / self._column_scale(i, points) for i in columns]
        return 2.0 * self.epsilon * tf.reduce_max(tf.stack(sizes))

    def _column_scale(self, column, points):
        known = self.scales.get(self.name(column))
        if known is not None:
            return tf.constant(known, points.dtype)
        return half_range(tf.stop_gradient(points)[:, column])
