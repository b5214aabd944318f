"""Operations without a rule that take points together, or may do so: they are refused then."""

from kpinn.derivatives.operations.labels import every_axis
from kpinn.derivatives.operations.table import Facts, register

register(
    *("SegmentMax", "SegmentMin", "SegmentProd", "SegmentMaxV2", "SegmentMinV2", "SegmentProdV2"),
    *("SegmentSumV2", "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd"),
    along=0,
)(Facts())
# Gradients of what points share.
register(
    *("Conv2DBackpropFilter", "Conv2DBackpropFilterV2", "Conv3DBackpropFilter", "BiasAddGrad"),
    *("Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter", "Dilation2DBackpropFilter"),
    along=every_axis,
)(Facts())


def _of_statistics(operation):
    """Statistics of the batch are over the points, those that are given over nothing."""
    axes = () if not operation.get_attr("is_training") else (0,)
    return [axes] + [None] * (len(operation.inputs) - 1)


register(
    *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
    *("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3"),
    along=_of_statistics,
    labels="returns statistics beside its result",
)(Facts())
