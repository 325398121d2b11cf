"""On a card: features of a frozen network, a fit of a whole one, and a fit of a small one, beside the same by hand.

Each backend, PyTorch and JAX, computes in a process of its own, on the device that it chooses by itself. ``features``:
EfficientNet-Lite0 on 128 px pictures, from bytes; by hand, the same Keras network is called on batches of 256, without
gradients on PyTorch and compiled on JAX. ``network_8`` and so on hand batches of so many pictures to our compiled
network, without digests and memory; ``digests`` is the price of these. ``fit``: all weights move, 3 epochs, batches of
32, from a random head on both sides; ``ours_solved`` solves a head first, as is the default. ``small_fit``: the small
network on 28 px pictures; ours lies compiled in the pool, while by hand a new model is compiled, as Keras users do, or
(``by_hand_again``) the same one is set back and fitted again.

``first_seconds`` are those of the first call, compilation included (and, for the side that is first, the start of the
card); ``seconds`` the median of further ones, in turn. A side that fails is named with its error, its traceback on the
standard error. ``peak_device_mb`` is that of the process so far.

Run: ``python benchmarks/gpu.py [features] [fit] [small_fit]`` (needs PyTorch and JAX for the card; 5 to 8 minutes),
with ``KERAS_BACKEND`` set for one of them alone, or with ``--tiny`` to try the script.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from _measure import in_turn, ratio, report, seconds

Actions = dict[str, Callable[[], Any]]

TINY = "--tiny" in sys.argv
BACKENDS = ("torch", "jax")
SIDE, ROWS, BATCH, LENGTHS = (32, 16, 8, (8,)) if TINY else (128, 2048, 256, (64, 256))
FIT_ROWS, EPOCHS, RUNS = (40, 1, 1) if TINY else (512, 3, 3)


def pictures(rows: int, side: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Clothes, enlarged, with noise, so that no two are equal; and the numbers of their classes."""
    from skltransfer.datasets import load_fashion_sample

    sample, times = load_fashion_sample(), -(-side // 28)
    images = np.concatenate([sample.images, sample.images_test])
    labels = np.unique(np.concatenate([sample.target, sample.target_test]), return_inverse=True)[1]
    which = np.arange(rows) % len(images)
    large = images[which].repeat(times, 1).repeat(times, 2)[:, :side, :side, None]
    noise = np.random.default_rng(0).integers(0, 64, (rows, side, side, channels), dtype=np.uint8)
    return np.minimum(large, 191) + noise, labels[which]


def features() -> Actions:
    from skltransfer import BackboneTransformer
    from skltransfer._engine.forward import forward
    from skltransfer._features import cache
    from skltransfer._features.extraction import sample_spec
    from skltransfer._inputs.samples import ArraySamples

    X, _ = pictures(ROWS, SIDE, 3)
    rows, ready = ArraySamples(X), []

    def extractor() -> Any:
        if not ready:
            ready.append(BackboneTransformer("efficientnet_lite0", image_size=SIDE).fit(X))
        return ready[0]

    def ours() -> np.ndarray:
        cache.process_store.clear()
        return extractor().transform(X)

    def network(length: int) -> np.ndarray:
        plan = extractor().model_.extraction
        facts = (plan.backbone, plan.outputs, plan.preparation, sample_spec(rows, plan.preparation))
        with forward(*facts, frozen=False) as compiled:
            return np.concatenate(list(compiled.map(X[i : i + length] for i in range(0, ROWS, length))))

    networks = {f"network_{length}": lambda length=length: network(length) for length in LENGTHS}
    digests = {"digests": lambda: [rows.digest(i) for i in range(ROWS)]}
    return {"by_hand": hand_features(X), "ours": ours, **networks, **digests}


def hand_features(X: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what a Keras user would write for this backend."""
    import keras

    from skltransfer import load_backbone

    backbone = load_backbone("efficientnet_lite0")
    write = {"torch": by_torch, "jax": by_jax}[keras.backend.backend()]
    return write(backbone.to_keras(), X, np.float32(backbone.mean), np.float32(backbone.std))


def by_torch(model: Any, X: np.ndarray, mean: np.ndarray, std: np.ndarray) -> Callable[[], np.ndarray]:
    import torch

    device = model.weights[0].value.device
    mean, std = (torch.from_numpy(values).to(device) for values in (mean, std))

    def one(batch: np.ndarray) -> Any:
        x = (torch.from_numpy(batch).to(device).float() - mean) / std
        return model(x, training=False).mean(dim=(1, 2))

    def run() -> np.ndarray:
        with torch.no_grad():
            return torch.cat([one(X[i : i + BATCH]) for i in range(0, len(X), BATCH)]).cpu().numpy()

    return run


def by_jax(model: Any, X: np.ndarray, mean: np.ndarray, std: np.ndarray) -> Callable[[], np.ndarray]:
    import jax

    weights = [[v.value for v in some] for some in (model.trainable_variables, model.non_trainable_variables)]

    @jax.jit
    def one(weights: Any, batch: Any) -> Any:
        x = (batch.astype("float32") - mean) / std
        return model.stateless_call(*weights, x, training=False)[0].mean((1, 2))

    def run() -> np.ndarray:
        found = [one(weights, X[i : i + BATCH]) for i in range(0, len(X), BATCH)]
        return np.concatenate([np.asarray(batch) for batch in found])

    return run


def fit() -> Actions:
    from skltransfer import TransferClassifier, load_backbone
    from skltransfer._features import cache

    X, y = pictures(FIT_ROWS, SIDE, 3)
    options = {"trainable": "all", "epochs": EPOCHS, "batch_size": 32, "image_size": SIDE, "random_state": 0}

    def ours(*, solve_head: bool) -> Any:
        cache.process_store.clear()
        return TransferClassifier("efficientnet_lite0", **options, solve_head=solve_head).fit(X, y)

    return {
        "by_hand": again(lambda: hand_model(load_backbone("efficientnet_lite0"), (SIDE, SIDE, 3), 1e-4), X, y),
        "ours": lambda: ours(solve_head=False),
        "ours_solved": lambda: ours(solve_head=True),
    }


def small_fit() -> Actions:
    from skltransfer import TransferClassifier, load_backbone

    X, y = pictures(FIT_ROWS, 28, 1)
    backbone = load_backbone("small_cnn", input_shape=(28, 28, 1), random_state=0)
    return {
        "by_hand": lambda: fitted(hand_model(backbone, (28, 28, 1), 1e-3), X, y),
        "by_hand_again": again(lambda: hand_model(backbone, (28, 28, 1), 1e-3), X, y),
        "ours": lambda: TransferClassifier("small_cnn", epochs=EPOCHS, batch_size=32, random_state=0).fit(X, y),
    }


def hand_model(backbone: Any, shape: tuple[int, ...], learning_rate: float) -> Any:
    """Compile a model that a Keras user would write, normalisations in inference mode as in ours."""
    import keras

    x = inputs = keras.Input(shape)
    x = backbone.to_keras()((x - np.float32(backbone.mean)) / np.float32(backbone.std), training=False)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(learning_rate), loss, jit_compile=keras.backend.backend() == "jax")
    return model


def fitted(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    return model.fit(X, y, batch_size=32, epochs=EPOCHS, verbose=0)


def again(make: Callable[[], Any], X: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """Return a fit of one model, compiled at the first call and set back before each further one."""
    kept: list[Any] = []

    def run() -> Any:
        if not kept:
            model = make()
            kept.extend([model, model.get_weights()])
        kept[0].set_weights(kept[1])
        return fitted(kept[0], X, y)

    return run


def card() -> str:
    """Name of what the backend computes on, as it says itself."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return str(jax.devices()[0].device_kind)
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def peak_device_mb() -> float | None:
    """Largest memory taken on the card so far, in MB."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        found = jax.devices()[0].memory_stats()
        return None if found is None else found["peak_bytes_in_use"] / 1e6
    import torch

    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else None


def measure(name: str, rows: int, actions: Actions) -> set[str]:
    """Time all sides, in turn, each ratio being that of times, to the one by hand; return those that do not fail."""
    first: dict[str, float] = {}
    failed: dict[str, str] = {}
    for side, action in actions.items():
        try:
            first[side] = seconds(action)
        except Exception as error:
            traceback.print_exc()
            failed[side] = f"{type(error).__name__}: {error}"[:300]
    columns = in_turn(*(actions[side] for side in first), runs=RUNS)
    times = dict(zip(first, columns, strict=True))
    medians = {side: float(np.median(column)) for side, column in times.items()}
    others = times.keys() - {"by_hand"} if "by_hand" in times else ()
    over = {f"{side}_over_by_hand": ratio(times[side], times["by_hand"]) for side in sorted(others)}
    rates = {side: rows / taken for side, taken in medians.items()}
    spread = {side: max(column) / min(column) for side, column in times.items()}
    report(
        "gpu", backend=os.environ["KERAS_BACKEND"], card=card(), measured=name, **over, first_seconds=first,
        seconds=medians, slowest_over_fastest=spread, pictures_per_second=rates, peak_device_mb=peak_device_mb(),
        failed=failed,
    )  # fmt: skip
    return set(times)


def measure_features() -> None:
    """Time features, and report the largest difference between both sides' beside the largest of them."""
    actions = features()
    if not {"by_hand", "ours"} <= measure("features", ROWS, actions):
        return
    theirs, ours = actions["by_hand"](), actions["ours"]()
    facts = {"largest_difference": float(np.abs(ours - theirs).max()), "largest": float(np.abs(theirs).max())}
    report("gpu", backend=os.environ["KERAS_BACKEND"], card=card(), measured="agreement", **facts)


def one_backend() -> None:
    steps: Actions = {
        "features": measure_features,
        "fit": lambda: measure("fit", FIT_ROWS * EPOCHS, fit()),
        "small_fit": lambda: measure("small_fit", FIT_ROWS * EPOCHS, small_fit()),
    }
    chosen = [name for name in sys.argv[1:] if name in steps] or list(steps)
    for name in chosen:
        try:
            steps[name]()
        except Exception as error:
            traceback.print_exc()
            report("gpu", backend=os.environ["KERAS_BACKEND"], card=card(), measured=name, failed=f"{error}"[:300])
        sys.stdout.flush()


def main() -> None:
    if "KERAS_BACKEND" in os.environ:
        one_backend()
        return
    for backend in BACKENDS:
        done = subprocess.run([sys.executable, *sys.argv], env={**os.environ, "KERAS_BACKEND": backend}, check=False)
        if done.returncode:
            report("gpu", backend=backend, failed=f"the process ended with {done.returncode}")


if __name__ == "__main__":
    main()
