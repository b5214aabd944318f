"""Operations that an exported model may consist of.

A SavedModel is a program: TensorFlow has operations that read and write files, call Python, talk to
other machines and load tables from disk. Those named here compute with numbers in memory; what is
not named is refused, so that an operation of a future TensorFlow is, too.
"""

ARITHMETIC = """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 Angle Asin Asinh Atan Atan2 Atanh BesselI0 BesselI0e
    BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1
    Betainc Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum
    CumulativeLogsumexp Dawsn Digamma Div DivNoNan Erf Erfc Erfinv Exp Expint Expm1 Floor FloorDiv
    FloorMod FresnelCos FresnelSin Igamma IgammaGradA Igammac Imag Inv InvGrad Lgamma Log Log1p
    Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter Polygamma Pow Real RealDiv Reciprocal
    ReciprocalGrad Rint Round Rsqrt RsqrtGrad Sign Sin Sinh Spence Sqrt SqrtGrad Square
    SquaredDifference Sub Tan Tanh TanhGrad TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta
"""
COMPARISONS = """
    All Any ApproximateEqual BitwiseAnd BitwiseOr BitwiseXor Bucketize Equal Greater GreaterEqual
    Invert IsFinite IsInf IsNan LeftShift Less LessEqual LogicalAnd LogicalNot LogicalOr LowerBound
    NotEqual PopulationCount RightShift Select SelectV2 UpperBound
"""
NETWORKS = """
    AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BatchNormWithGlobalNormalization BiasAdd BiasAddGrad
    BiasAddV1 Conv Conv2D Conv2DBackpropFilter Conv2DBackpropFilterV2 Conv2DBackpropInput
    Conv2DBackpropInputV2 Conv3D Conv3DBackpropFilter Conv3DBackpropFilterV2 Conv3DBackpropInput
    Conv3DBackpropInputV2 DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Dilation2D
    Dilation2DBackpropFilter Dilation2DBackpropInput Elu EluGrad FusedBatchNorm FusedBatchNormGrad
    FusedBatchNormGradV2 FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 L2Loss LRN LRNGrad
    LeakyRelu LeakyReluGrad LogSoftmax MaxPool MaxPool3D MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad
    MaxPoolGradGrad MaxPoolGradGradV2 MaxPoolGradGradWithArgmax MaxPoolGradV2 MaxPoolGradWithArgmax
    MaxPoolV2 MaxPoolWithArgmax Relu Relu6 Relu6Grad ReluGrad ResizeArea ResizeBicubic
    ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor
    ResizeNearestNeighborGrad ScaleAndTranslate ScaleAndTranslateGrad Selu SeluGrad Sigmoid
    SigmoidGrad Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign SoftsignGrad
    SparseSoftmaxCrossEntropyWithLogits
"""
LINEAR_ALGEBRA = """
    BandedTriangularSolve BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky CholeskyGrad Eig Einsum
    LogMatrixDeterminant Lu MatMul MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart
    MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixExponential MatrixInverse
    MatrixLogarithm MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixSolveLs
    MatrixSquareRoot MatrixTriangularSolve Qr SelfAdjointEig SelfAdjointEigV2 SparseMatMul
    SparseTensorDenseMatMul Svd TridiagonalMatMul TridiagonalSolve
"""
FOURIER = """
    FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND RFFT RFFT2D RFFT3D
    RFFTND
"""
REDUCTIONS = """
    ApproxTopK ArgMax ArgMin Bincount DenseBincount EuclideanNorm HistogramFixedWidth InTopK
    InTopKV2 Max Mean Min NthElement Prod RaggedBincount SegmentMax SegmentMaxV2 SegmentMean
    SegmentMin SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 SparseReduceMax
    SparseReduceSum SparseSegmentMean SparseSegmentMeanGrad SparseSegmentMeanWithNumSegments
    SparseSegmentSqrtN SparseSegmentSqrtNGrad SparseSegmentSqrtNWithNumSegments SparseSegmentSum
    SparseSegmentSumGrad SparseSegmentSumWithNumSegments Sum TopK TopKV2 UnsortedSegmentMax
    UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
"""
SHAPES = """
    BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast Concat
    ConcatOffset ConcatV2 ConjugateTranspose Const DeepCopy DepthToSpace Diag DiagPart
    DynamicPartition DynamicStitch Empty EnsureShape ExpandDims ExtractImagePatches
    ExtractVolumePatches Fill Gather GatherNd GatherV2 GuaranteeConst Identity IdentityN InplaceAdd
    InplaceSub InplaceUpdate InvertPermutation LinSpace ListDiff MirrorPad MirrorPadGrad OneHot
    OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch PreventGradient RaggedGather
    RaggedRange RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
    RaggedTensorToVariant RaggedTensorToVariantGradient Range Rank Reshape Reverse ReverseSequence
    ReverseV2 Roll ScatterNd ScatterNdNonAliasingAdd Shape ShapeN Size Slice Snapshot SpaceToBatch
    SpaceToBatchND SpaceToDepth SparseFillEmptyRows SparseFillEmptyRowsGrad SparseReorder
    SparseReshape SparseSlice SparseToDense Split SplitV Squeeze StopGradient StridedSlice
    StridedSliceGrad TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
    TensorScatterUpdate TensorStridedSliceUpdate Tile TileGrad Transpose Unique UniqueV2
    UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex Where ZerosLike
"""
LISTS = """
    EmptyTensorList TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayGradV3
    TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3
    TensorArrayWriteV3 TensorListConcat TensorListConcatLists TensorListConcatV2
    TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem TensorListLength
    TensorListPopBack TensorListPushBack TensorListPushBackBatch TensorListReserve TensorListResize
    TensorListScatter TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem
    TensorListSplit TensorListStack
"""
RANDOM = """
    Multinomial ParameterizedTruncatedNormal RandomGamma RandomGammaGrad RandomIndexShuffle
    RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip
    RngSkip SobolSample StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform
    StatefulUniformFullInt StatefulUniformInt StatelessMultinomial
    StatelessParameterizedTruncatedNormal StatelessRandomBinomial StatelessRandomGammaV2
    StatelessRandomGammaV3 StatelessRandomGetAlg StatelessRandomGetKeyCounter
    StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
    StatelessRandomPoisson StatelessRandomUniform StatelessRandomUniformFullInt
    StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
    StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2
    TruncatedNormal
"""
VARIABLES = """
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead ReadVariableOp
    ResourceGather ResourceGatherNd ResourceScatterAdd ResourceScatterUpdate VarHandleOp
    VarIsInitializedOp VariableShape
"""
CONTROL = """
    Assert Case CheckNumerics CheckNumericsV2 ControlTrigger DeviceIndex FakeParam For If MapDefun
    NoOp PartitionedCall Placeholder PlaceholderWithDefault Print PrintV2 StatefulPartitionedCall
    StatelessCase StatelessIf StatelessWhile ToBool While
"""
TEXT = """
    AsString StringFormat StringJoin
"""  # of the messages of Assert and PrintV2
SAVER = """
    MergeV2Checkpoints RestoreV2 SaveV2 ShardedFilename StaticRegexFullMatch
"""

GROUPS = (
    ARITHMETIC,
    COMPARISONS,
    NETWORKS,
    LINEAR_ALGEBRA,
    FOURIER,
    REDUCTIONS,
    SHAPES,
    LISTS,
    RANDOM,
    VARIABLES,
    CONTROL,
    TEXT,
)
ALLOWED = frozenset(name for group in GROUPS for name in group.split())
ALLOWED_IN_SAVER = ALLOWED | frozenset(SAVER.split())
# Where PrintV2 may print to, by default to stderr.
CONSOLE = (b"", b"stderr", b"stdout", b"log(info)", b"log(warning)", b"log(error)")
