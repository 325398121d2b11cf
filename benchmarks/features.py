"""Frozen features: throughput at 128 px beside ONNX Runtime, and growth of time and memory with rows.

Both sides compute EfficientNet-Lite0 with the same weights, normalisations folded, in float32, on batches of 32
pictures, in turn in one process; ours by each of its runtimes. One name hands ready float32 batches to a side, "from
bytes" starts from bytes, and ours then also digests and remembers each row. Growth runs in processes of its own, on
CIFAR-10 seen at 64 px: ``in_process`` remembers features in memory (so they are held twice: by the caller and by the
store), ``folder`` on disk.

Run: ``python benchmarks/features.py [short]`` (needs the extras ``export`` and ``openvino``; about 20 minutes, and two
for the throughput on half of the pictures alone).
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec

import numpy as np
from _data import cifar10
from _measure import in_turn, peak_mb, ratio, report, seconds, side

SIZE, BATCH, ROWS, FEW = 128, 32, 1024, 512


def onnx_session(backbone):
    """ONNX Runtime, as it comes, on a graph of the folded network with average pooling."""
    import onnxruntime
    from onnx import helper, numpy_helper

    from skltransfer.backbones._folding import fold
    from skltransfer.backbones.efficientnet_lite import GROUPS

    folded = fold(backbone)
    weights = dict(zip(folded.paths, folded.weights, strict=True))
    nodes, constants = [], [numpy_helper.from_array(np.float32(v), n) for n, v in (("zero", 0), ("six", 6))]

    def convolution(x: str, name: str, kernel: int, stride: int, *, relu: bool = True) -> str:
        depthwise = name.endswith("depthwise")
        array = weights[f"{name}/kernel"].transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{name}.k"))
        constants.append(numpy_helper.from_array(weights[f"{name}/bias"], f"{name}.b"))
        options = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "auto_pad": "SAME_UPPER"}
        group = array.shape[0] if depthwise else 1
        nodes.append(helper.make_node("Conv", [x, f"{name}.k", f"{name}.b"], [name], group=group, **options))
        if relu:
            nodes.append(helper.make_node("Clip", [name, "zero", "six"], [f"{name}.r"]))
        return f"{name}.r" if relu else name

    x, number, channels = convolution("x", "stem", 3, 2), 0, 32
    for repeats, kernel, first_stride, expansion, width in GROUPS:
        for repeat in range(repeats):
            stride, source = first_stride if repeat == 0 else 1, x
            if expansion != 1:
                x = convolution(x, f"block{number}_expand", 1, 1)
            x = convolution(x, f"block{number}_depthwise", kernel, stride)
            x = convolution(x, f"block{number}_project", 1, 1, relu=False)
            if stride == 1 and channels == width:
                nodes.append(helper.make_node("Add", [source, x], [f"sum{number}"]))
                x = f"sum{number}"
            number, channels = number + 1, width
    nodes.append(helper.make_node("GlobalAveragePool", [convolution(x, "head", 1, 1)], ["y"]))
    ends = (("x", ["n", 3, SIZE, SIZE]), ("y", ["n", 1280, 1, 1]))
    graph = helper.make_graph(nodes, "lite0", *[[helper.make_tensor_value_info(n, 1, s)] for n, s in ends], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def throughput(n_rows: int) -> dict:
    import keras

    from skltransfer import BackboneTransformer, load_backbone
    from skltransfer._engine.forward import forward
    from skltransfer._engine.pooling import Output
    from skltransfer._features import cache as feature_cache
    from skltransfer._keras.runtime import RUNTIMES, _has_avx512

    backbone = load_backbone("efficientnet_lite0")
    session = onnx_session(backbone)
    pixels = np.array(keras.ops.image.resize(cifar10()[2][:n_rows].astype("float32"), (SIZE, SIZE))).astype(np.uint8)
    starts = range(0, n_rows, BATCH)
    ready = [(pixels[i : i + BATCH].astype(np.float32) - 127) / 128 for i in starts]
    planar = [np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) for batch in ready]
    runtimes = [name for name in RUNTIMES if name != "auto"]
    extractors = {name: BackboneTransformer(image_size=SIZE, runtime=name).fit(pixels) for name in runtimes}

    def onnx(batches) -> np.ndarray:
        return np.concatenate([session.run(None, {"x": batch})[0][:, :, 0, 0] for batch in batches])

    def onnx_from_bytes() -> np.ndarray:
        batches = ((pixels[i : i + BATCH].astype(np.float32) - 127) / 128 for i in starts)
        return onnx(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) for batch in batches)

    def ours_from_bytes(runtime: str) -> np.ndarray:
        feature_cache.process_store.clear()
        return extractors[runtime].transform(pixels)

    outputs = (Output("head_relu", "avg"),)
    spec = (backbone, outputs, None, ((SIZE, SIZE, 3), "float32"))
    model = backbone.to_keras()
    plain = keras.Model(model.inputs, keras.layers.GlobalAveragePooling2D()(model.outputs[0]))
    with ExitStack() as stack:
        networks = {name: stack.enter_context(forward(*spec, frozen=True, runtime=name)) for name in runtimes}
        known = onnx(planar)
        differences = {
            name: float(np.abs(np.concatenate(list(network.map(ready))) - known).max())
            for name, network in networks.items()
        }
        actions = {
            "onnxruntime itself": lambda: onnx(planar),
            "plain Keras": lambda: [plain.predict_on_batch(batch) for batch in ready],
            "onnxruntime itself, from bytes": onnx_from_bytes,
            **{name: lambda network=network: list(network.map(ready)) for name, network in networks.items()},
            **{f"{name}, from bytes": lambda name=name: ours_from_bytes(name) for name in runtimes},
        }
        times = dict(zip(actions, in_turn(*actions.values(), runs=7), strict=True))
    return {
        "avx512": _has_avx512(),
        "network_ratios": {name: ratio(times["onnxruntime itself"], times[name]) for name in runtimes},
        "end_to_end_ratios": {
            name: ratio(times["onnxruntime itself, from bytes"], times[f"{name}, from bytes"]) for name in runtimes
        },
        "largest_differences": differences,
        "pictures_per_second": {name: n_rows / float(np.median(column)) for name, column in times.items()},
    }


def growth(rows: int, memory: str) -> dict:
    from skltransfer import BackboneTransformer

    X = cifar10()[0]
    with tempfile.TemporaryDirectory() as folder:
        extractor = BackboneTransformer(image_size=64, memory=folder if memory == "folder" else None)
        extractor.fit_transform(X[40_000:45_000])
        taken = seconds(lambda: extractor.transform(X[:rows]))
    return {"seconds": taken, "peak_mb": peak_mb()}


def grown(memory: str) -> dict:
    pairs = [[side(__file__, str(rows), memory) for rows in (10_000, 40_000)] for _ in range(3)]
    features_mb = 30_000 * 1280 * 4 / 1e6
    return {
        "time_40000_over_10000": float(np.median([many["seconds"] / few["seconds"] for few, many in pairs])),
        "memory_growth_over_features": float(
            np.median([(many["peak_mb"] - few["peak_mb"]) / features_mb for few, many in pairs])
        ),
    }


def main() -> None:
    if len(sys.argv) > 2:
        print(json.dumps(growth(int(sys.argv[1]), sys.argv[2])))
        return
    if missing := [name for name in ("onnx", "onnxruntime", "openvino", "tf2onnx") if find_spec(name) is None]:
        sys.exit(f"benchmarks/features.py needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    if sys.argv[1:] == ["short"]:
        report("features", **throughput(FEW))
        return
    growths = {"in_process": grown("process"), "folder": grown("folder")}
    report("features", **throughput(ROWS), **growths)


if __name__ == "__main__":
    main()
