"""Keras' global settings make no difference, and stay as they are."""

import os
import subprocess
import sys
import threading

import keras
import pytest

from skltransfer._keras.backend import own_settings

CODE = """
import hashlib
import keras
import numpy as np
SETTING
from skltransfer import AutoencoderTransformer, BackboneTransformer, TransferClassifier
random = np.random.default_rng(0)
X, y = random.integers(0, 255, (12, 12, 12), dtype=np.uint8), np.arange(12) % 2
features = BackboneTransformer(image_size=32).fit_transform(X)
clf = TransferClassifier("small_cnn", trainable="all", epochs=1, augmentation="flip_shift", random_state=0).fit(X, y)
ae = AutoencoderTransformer(epochs=1, random_state=0).fit(X)
again = ae.inverse_transform(ae.transform(X))
outputs = (features, clf.predict_proba(X)[:, 0], again)
print(*(hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for array in outputs), features.dtype)
print(keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy().name)
"""
SETTINGS = {
    "": "channels_last float32 float32",
    "keras.config.set_image_data_format('channels_first')": "channels_first float32 float32",
    "keras.config.set_dtype_policy('mixed_bfloat16')": "channels_last float32 mixed_bfloat16",
    "keras.config.set_dtype_policy('mixed_float16')": "channels_last float32 mixed_float16",
    "keras.config.set_floatx('float64')": "channels_last float64 float64",
}


def printed(setting):
    code = CODE.replace("SETTING", setting)
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.fixture(scope="module")
def usual():
    return printed("")


@pytest.mark.parametrize("setting", list(SETTINGS)[1:])
def test_predictions_are_the_same_under_any_global_setting(usual, setting):
    found = printed(setting)
    assert found[-2] == usual[-2]
    assert found[-1] == SETTINGS[setting]


def global_settings():
    return keras.config.image_data_format(), keras.config.floatx(), keras.config.epsilon()


def test_settings_come_back_when_the_last_thread_leaves():
    before = global_settings()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float64")
    inside, leave = threading.Event(), threading.Event()

    def visit():
        with own_settings():
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=visit)
    try:
        thread.start()
        assert inside.wait(30)
        with own_settings():
            assert global_settings() == ("channels_last", "float32", 1e-7)
        assert global_settings() == ("channels_last", "float32", 1e-7)  # the other thread is inside still
        leave.set()
        thread.join()
        assert global_settings() == ("channels_first", "float64", 1e-7)
    finally:
        leave.set()
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])


def test_an_error_inside_leaves_the_settings_as_they_were():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(KeyError, match="inside, float32"), own_settings():
            raise KeyError(f"inside, {keras.layers.Dense(2).compute_dtype}")
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


def test_an_unknown_backend_is_refused():
    code = "from skltransfer import load_backbone\nload_backbone('mlp', input_shape=(3,))"
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (
        "Keras runs on 'numpy'; expected tensorflow, torch or jax. Set the environment variable KERAS_BACKEND"
        in done.stderr
    )
