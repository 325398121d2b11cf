"""Waveforms and audio files, on tones, sweeps and noise that the tests write to files."""

import io
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import chirp, get_window, resample_poly, stft
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    TransferClassifier,
    TransferRegressor,
    load_backbone,
)
from skltransfer._features import extraction as features
from skltransfer._inputs.audio import RATE, Audio, AudioSamples, LogMelSpectrogram, audio_format, read_audio
from skltransfer._inputs.containers import gathered
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.kind import ReadOptions
from skltransfer._inputs.recognition import recognise

PLAIN = Preparation(0, 255, None, 1, (0.0,), (1.0,))


def tone(hertz, seconds=0.4, rate=8000):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def sweeps(n, rate=8000, seed=0):
    """Rising and falling sweeps of several lengths in noise; y says which."""
    random, X, y = np.random.default_rng(seed), [], np.arange(n) % 2
    for falls in y:
        times = np.arange(int(random.uniform(0.3, 0.5) * rate)) / rate
        ends = np.array([random.uniform(200, 600), random.uniform(1500, 3500)])[:: -1 if falls else 1]
        X.append(random.uniform(0.1, 0.9) * chirp(times, ends[0], times[-1], ends[1]))
        X[-1] = X[-1] + 0.01 * random.standard_normal(len(times))
    return X, np.where(y, "falls", "rises")


@pytest.fixture(scope="module")
def clips():
    return sweeps(24)


@pytest.fixture(scope="module")
def files(clips, tmp_path_factory):
    folder, paths = tmp_path_factory.mktemp("sounds"), []
    for i, clip in enumerate(clips[0]):
        paths.append(str(folder / f"{i}.{('wav', 'flac', 'ogg')[i % 3]}"))
        soundfile.write(paths[-1], clip, 8000)
    return paths


@pytest.fixture
def listener():
    return BackboneTransformer(sample_rate=8000, image_size=32)


def picture(waves, samples=8000):
    from keras import ops

    heard = LogMelSpectrogram(samples, PLAIN)(ops.convert_to_tensor(np.asarray(waves, "float32")))
    return ops.convert_to_numpy(heard)[..., 0]


def mel_bands(n_bands, n_bins, rate, lowest):
    """Triangles that are straight on the mel scale of the Hidden Markov Model Toolkit."""

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    edges, bins = np.linspace(mel(lowest), mel(rate / 2), n_bands + 2), mel(np.linspace(0, rate / 2, n_bins))
    bank = np.zeros((n_bands, n_bins))
    for i, (low, top, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        bank[i] = np.clip(np.minimum((bins - low) / (top - low), (high - bins) / (high - top)), 0, None)
    bank[:, 0] = 0
    return bank


@pytest.mark.backends
def test_spectrogram_is_that_of_scipy():
    random = np.random.default_rng(0)
    wave = chirp(np.arange(8000) / 16000, 100, 0.5, 7000) + 0.01 * random.standard_normal(8000)
    window = np.pad(get_window("hann", 400), 56)
    _, _, spectrum = stft(np.pad(wave, 256, mode="reflect"), 16000, window, 512, 352, boundary=None, padded=False)
    power = mel_bands(64, 257, 16000, 50.0) @ np.abs(spectrum * window.sum()) ** 2
    level = 10 * np.log10(np.maximum(power, 1e-10))
    expected = 255 * np.clip(1 + (level - level.max()) / 80, 0, 1)
    np.testing.assert_allclose(picture(wave[None])[0], expected, atol=0.05)


@pytest.mark.parametrize(("rate", "up", "down"), [(8000, 2, 1), (44100, 160, 441), (48000, 1, 3)])
def test_resampling_is_that_of_scipy_bit_for_bit(rate, up, down):
    clips = [tone(440, 0.2, rate), tone(700, 0.1, rate)]
    preparation = LogMelSpectrogram(RATE, PLAIN)
    found = AudioSamples(clips, rate).read([0, 1], preparation)
    for heard, clip in zip(found, clips, strict=True):
        expected = resample_poly(clip / np.abs(clip).max(), up, down).astype(np.float32)
        np.testing.assert_array_equal(heard[: len(expected)], expected)
        assert not heard[len(expected) :].any()


@pytest.mark.backends
def test_spectrogram_does_not_depend_on_other_clips():
    quiet = 0.01 * tone(700, 0.5, 16000)
    alone, beside = picture(quiet[None]), picture(np.stack([quiet, tone(200, 0.5, 16000)]))
    np.testing.assert_allclose(alone[0], beside[0], atol=1e-3)


def test_silence_is_black():
    assert not picture(np.zeros((1, 8000))).any()


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050.0, 44100, 48000])
def test_any_rate_gives_the_same_spectrogram(rate):
    rows, _ = read_audio([tone(1000, 0.5, rate)], rate)
    seen = picture(rows.read([0], LogMelSpectrogram(8000, PLAIN)))[0]
    other, _ = read_audio([tone(1000, 0.5, 16000)], 16000)
    expected = picture(other.read([0], LogMelSpectrogram(8000, PLAIN)))[0]
    assert seen[:, 25].argmax() == expected[:, 25].argmax()
    loud = expected > 150
    np.testing.assert_allclose(seen[:, 5:45][loud[:, 5:45]], expected[:, 5:45][loud[:, 5:45]], atol=3)


@pytest.mark.parametrize("factor", [1e-2, 1, 3e4, 1e200])
def test_loudness_changes_nothing(listener, clips, factor):
    listener.fit(clips[0])
    seen, louder = listener.transform(clips[0][:3]), listener.transform([factor * clip for clip in clips[0][:3]])
    np.testing.assert_allclose(seen, louder, atol=1e-3)


@pytest.mark.parametrize(("dtype", "full", "middle"), [("int16", 2**15, 0), ("int32", 2**31, 0), ("uint8", 128, 128)])
def test_whole_numbers_are_samples_too(dtype, full, middle):
    wave = tone(440)
    whole, real = (
        read_audio([clip], 8000)[0].read([0], LogMelSpectrogram(8000, PLAIN))
        for clip in ((wave * (full - 1) + middle).astype(dtype), wave)
    )
    np.testing.assert_allclose(whole, real, atol=0.03 if dtype == "uint8" else 1e-3)


def test_files_are_what_arrays_are(listener, tmp_path):
    wave = (30000 * tone(440)).astype("int16")
    for name, content in (("mono.wav", wave), ("mono.flac", wave), ("both.wav", np.stack([wave, wave], axis=1))):
        soundfile.write(tmp_path / name, content, 8000)
        np.testing.assert_allclose(listener.fit_transform([tmp_path / name]), listener.fit_transform([wave]), atol=1e-5)


def test_bytes_of_files_are_what_the_files_are(listener, files):
    fitted = listener.fit(files[:3])
    content = [Path(path).read_bytes() for path in files[:3]]
    expected = fitted.transform(files[:3])
    for X in (content, list(map(bytearray, content)), list(map(io.BytesIO, content))):
        np.testing.assert_array_equal(fitted.transform(X), expected)
    with pytest.raises(ValueError, match="X: sample 1 ends after 200 of the"):
        fitted.transform([content[0], content[0][:200]])
    with pytest.raises(ValueError, match="X: sample 0 is not a sound that can be read"):
        fitted.transform([b"no sound"])


def test_stereo_is_averaged(tmp_path):
    left, right = tone(400), tone(900)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), 8000, subtype="FLOAT")
    heard = read_audio([tmp_path / "stereo.wav"], None)[0].read([0], LogMelSpectrogram(8000, PLAIN))
    expected = read_audio([left + right], 8000)[0].read([0], LogMelSpectrogram(8000, PLAIN))
    np.testing.assert_allclose(heard, expected, atol=1e-5)


@pytest.mark.parametrize(
    "wrap",
    [lambda left, right: np.stack([left, right]), lambda left, right: np.stack([left, right], axis=1),
     lambda left, right: ((left + right) / 2)[None], lambda left, right: ((left + right) / 2)[:, None],
     lambda left, right: [left.tolist(), right.tolist()], lambda left, right: np.stack([left, right] * 4, axis=1),
     lambda left, right: (8000, np.stack([left, right])),
     lambda left, right: (np.stack([left, right], axis=1), 8000.0)],
)  # fmt: skip
def test_channels_of_arrays_are_averaged(listener, wrap):
    left, right = tone(400), tone(900)
    expected = listener.fit_transform([(left + right) / 2, left])
    np.testing.assert_allclose(listener.fit_transform([wrap(left, right), left]), expected, atol=1e-4)
    np.testing.assert_allclose(listener.transform([wrap(left, right), left]), expected, atol=1e-4)


def test_arrays_of_clips_with_channels_are_clips(listener, clips):
    mono = np.stack([clip[:2400] for clip in clips[0][:3]])
    expected = listener.fit_transform(mono)
    for stereo in (mono[:, None], mono[..., None], np.stack([mono, mono], axis=1), np.stack([mono, mono], axis=2)):
        np.testing.assert_allclose(listener.fit_transform(stereo), expected, atol=1e-4)


def test_middle_of_bytes_is_silence_in_every_channel():
    whole = (127 * tone(440) + 128).astype("uint8")
    heard, _ = read_audio([np.stack([whole, whole]), whole], 8000)
    both = heard.read([0, 1], LogMelSpectrogram(8000, PLAIN))
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


@pytest.mark.parametrize(
    "wrap",
    [lambda clip: (8000, clip), lambda clip: (np.int64(8000), clip.tolist()), lambda clip: (clip, 8000),
     lambda clip: {"array": clip, "sampling_rate": 8000, "path": None}],
)  # fmt: skip
def test_clips_bring_their_rate_along(clips, wrap):
    with_rate = [wrap(clip) for clip in clips[0][:6]]
    alone, told = BackboneTransformer(image_size=32), BackboneTransformer(image_size=32, sample_rate=8000)
    expected = told.fit_transform(clips[0][:6])
    np.testing.assert_array_equal(alone.fit_transform(with_rate), expected)
    np.testing.assert_array_equal(told.transform(with_rate), expected)
    np.testing.assert_array_equal(alone.transform(pd.Series(with_rate)), expected)


def test_sample_rate_does_not_matter():
    heard, longest = read_audio([(rate, tone(1000, 0.5, rate)) for rate in (8000, 16000, 44100)], None)
    seen = picture(heard.read([0, 1, 2], LogMelSpectrogram(8000, PLAIN)))
    assert longest == 8000
    assert seen[0, :, 25].argmax() == seen[1, :, 25].argmax() == seen[2, :, 25].argmax()


def test_clips_of_the_same_values_and_other_rates_have_other_digests():
    heard, _ = read_audio([(8000, tone(440)), (16000, tone(440)), (8000, tone(440))], None)
    assert heard.digest(0) == heard.digest(2) != heard.digest(1)
    assert read_audio([tone(440)], 8000)[0].digest(0) == heard.digest(0)


@pytest.mark.parametrize(
    ("clip", "sample_rate", "message"),
    [
        ((16000, tone(440)), 8000, r"sample 1 has a sample rate of 16000 Hz\. Expected sample_rate=8000; pass"),
        ({"array": tone(440), "sampling_rate": 44100}, 8000, r"sample 1 has a sample rate of 44100 Hz\. Expected"),
        ((16, tone(440)), None, r"sample 1 has a sample rate of 16 Hz\. Expected 1000 to 1000000 Hz; resample"),
        ((8000, np.zeros(0)), None, "sample 1 is empty"),
        ((8000, np.array([np.nan, 1])), None, "sample 1 contains NaN or infinity"),
        ((8000, np.zeros((9, 10))), None, r"sample 1 has shape \(9, 10\)\. .* with at most 8 channels"),
        ((8000, np.zeros((4, 4))), None, r"sample 1 has shape \(4, 4\)"),
    ],
)  # fmt: skip
def test_unusable_clips_are_named(clip, sample_rate, message):
    with pytest.raises(ValueError, match=message):
        BackboneTransformer(sample_rate=sample_rate).fit([(8000, tone(500)), clip])


@pytest.mark.parametrize(
    ("samples", "times"), [(1, 51), (8000, 51), (8001, 101), (16000, 101), (160_000, 1001), (900_000, 1001)]
)
def test_length_is_a_number_of_half_seconds_up_to_ten(samples, times):
    assert audio_format(samples).shape == (64, times, 1)


@pytest.mark.parametrize(("backbone", "size"), [("auto", (96, 224)), ("small_cnn", (64, 101))])
def test_size_of_the_spectrogram(backbone, size):
    fitted = BackboneTransformer(backbone, sample_rate=8000).fit([tone(500, 1.0)])
    assert fitted.model_.extraction.preparation.size == size


def test_what_comes_later_is_cut(listener):
    listener.fit([tone(500, 0.9)])
    longer = np.concatenate([tone(500, 1.0), tone(2000, 3.0)])
    assert not (listener.transform([longer]) - listener.transform([longer[:9000]])).any()
    assert (listener.transform([longer[:4000]]) - listener.transform([longer[:8000]])).any()


def test_no_more_than_ten_seconds_are_read(tmp_path):
    soundfile.write(tmp_path / "long.wav", tone(500, 12), 8000)
    rows, longest = read_audio([tmp_path / "long.wav"], None)
    assert longest == 160_000
    assert rows.read([0], LogMelSpectrogram(160_000, PLAIN)).shape == (1, 160_000)


@pytest.mark.backends
def test_clips_are_classified(clips, files):
    X, y = clips
    for rows in (X, files):
        clf = TransferClassifier(sample_rate=8000, image_size=64).fit(rows[:16], y[:16])
        assert clf.score(rows[16:], y[16:]) > 0.8


def test_files_and_arrays_are_one_kind(clips, files):
    clf = TransferClassifier(sample_rate=8000, image_size=64).fit(clips[0], clips[1])
    assert (clf.predict(files) == clf.predict(clips[0])).mean() > 0.9


def test_equal_samples_and_object_arrays_and_frames(listener, clips, files):
    X = np.stack([clip[:2400] for clip in clips[0]])
    expected = listener.fit_transform(list(X))
    ragged = np.empty(len(X), dtype=object)
    ragged[:] = list(X)
    for same in (X, pd.DataFrame(X), ragged, ragged[:, None], pd.Series(list(X)), X.tolist()):
        np.testing.assert_array_equal(listener.fit_transform(same), expected)
    listener, expected = BackboneTransformer(image_size=32), BackboneTransformer(image_size=32).fit_transform(files)
    for same in (np.array(files), pd.Series(files), pd.DataFrame({"clip": files}), pl.DataFrame({"clip": files})):
        np.testing.assert_array_equal(listener.fit_transform(same), expected)
    assert listener.n_features_in_ == 1
    assert listener.feature_names_in_.tolist() == ["clip"]


def test_in_scikit_learns_tools(listener, clips, files):
    X, y = files, clips[1]
    pipeline = make_pipeline(clone(listener).set_params(image_size=64), StandardScaler(), SVC())
    assert (cross_val_predict(pipeline, X, y, cv=3) == y).mean() > 0.7
    search = GridSearchCV(TransferClassifier(image_size=32), {"C": [0.1, 1.0]}, cv=2, error_score="raise").fit(X, y)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))


def test_features_are_computed_once_for_equal_content(listener, clips, files, tmp_path, empty_store):
    first = listener.fit_transform(files[:6])
    before = features.n_computed
    for i, path in enumerate(files[:6]):
        shutil.copy(path, tmp_path / f"{i}.wav")
    again = clone(listener).fit(files[:6]).transform([tmp_path / f"{i}.wav" for i in range(6)])
    assert features.n_computed == before
    np.testing.assert_array_equal(first, again)
    listener.fit_transform(clips[0][:6])
    assert features.n_computed == before + 6
    listener.set_params(sample_rate=9000).fit_transform(clips[0][:6])
    assert features.n_computed == before + 12


@pytest.mark.parametrize(
    "network", [pytest.param("small_cnn", marks=pytest.mark.backends), "small_resnet", "small_transformer"]
)
def test_networks_learn_audio_and_pass_them_on(network, clips, files):
    X, y = clips
    source = TransferClassifier(network, sample_rate=8000, image_size=32, epochs=2, random_state=0).fit(X, y)
    target = TransferClassifier(source.backbone_, trainable=1, epochs=2, random_state=0).fit(files, y)
    again = clone(target).fit(files, y)
    np.testing.assert_array_equal(target.predict_proba(files), again.predict_proba(files))


def test_network_made_for_a_length_hears_so_much():
    long = [tone(300 + 40 * i, 0.9) for i in range(8)]
    source = TransferClassifier("small_cnn", sample_rate=8000, epochs=1, random_state=0).fit(long, np.arange(8) % 2)
    assert source.backbone_.input_shape == (64, 101, 1)
    short = [wave[:1000] * np.hanning(1000) for wave in long]
    listener = BackboneTransformer(source.backbone_, sample_rate=8000).fit(short)
    assert listener.model_.extraction.preparation.samples == 16000
    silent = [np.concatenate([wave, np.zeros(5000)]) for wave in short]
    np.testing.assert_allclose(listener.transform(short), listener.transform(silent), atol=1e-4)


def test_pitch_is_a_number_to_predict():
    pitch = np.exp(np.random.default_rng(0).uniform(np.log(200), np.log(2000), 40))
    X = [tone(hertz) for hertz in pitch]
    octaves = np.log2(pitch)
    assert (
        TransferRegressor(sample_rate=8000, image_size=64).fit(X[:30], octaves[:30]).score(X[30:], octaves[30:]) > 0.8
    )


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=4), st.sampled_from(["int16", "float32", "float64", "int8"]))
def test_any_length_gives_finite_features(lengths, dtype):
    random = np.random.default_rng(sum(lengths))
    X = [(100 * random.standard_normal(length)).clip(-120, 120).astype(dtype) for length in lengths]
    seen = BackboneTransformer(sample_rate=16000, image_size=32).fit_transform(X)
    assert seen.shape == (len(X), 1280)
    assert np.isfinite(seen).all()


def bad_file(content):
    def make(folder):
        (folder / "bad.wav").write_bytes(content)
        return [folder / "bad.wav"]

    return make


def written(samples, rate=8000, **options):
    def make(folder):
        soundfile.write(folder / "bad.wav", samples, rate, **options)
        return [folder / "bad.wav"]

    return make


def cut_off(folder):
    soundfile.write(folder / "short.wav", np.zeros(8000), 8000)
    content = (folder / "short.wav").read_bytes()
    (folder / "short.wav").write_bytes(content[:5000])
    return [folder / "short.wav"]


def damaged(folder):
    soundfile.write(folder / "bad.flac", np.random.default_rng(0).uniform(-1, 1, 40_000), 8000)
    content = (folder / "bad.flac").read_bytes()
    (folder / "bad.flac").write_bytes(content[: len(content) // 2])
    return [folder / "bad.flac"]


BAD = {
    "missing": (lambda _: ["nowhere.wav"], r"sample 1, 'nowhere\.wav', is missing"),
    "no sound": (bad_file(b"no sound at all"), r"sample 1, '.*bad\.wav', is not a sound that can be read"),
    "empty file": (bad_file(b""), r"sample 1, '.*bad\.wav', is not a sound that can be read"),
    "cut off": (
        cut_off,
        r"sample 1, '.*short\.wav', ends after 5000 of the 16044 bytes that it announces\. Replace the",
    ),
    "damaged": (damaged, r"sample 1, '.*bad\.flac', is not a sound that can be read"),
    "no samples": (written(np.zeros(0)), r"sample 1, '.*bad\.wav', is empty"),
    "not finite": (written(np.array([0.1, np.nan]), subtype="FLOAT"), r"sample 1, '.*', contains NaN or infinity"),
    "slow": (written(np.zeros(9), 100), r"sample 1, '.*', has a sample rate of 100 Hz\. Expected 1000 to 1000000 Hz"),
    "empty array": (lambda _: [np.zeros(0)], "sample 1 is empty"),
    "infinite": (lambda _: [np.array([1, -np.inf])], "sample 1 contains NaN or infinity"),
    "square array": (lambda _: [np.zeros((9, 9))], r"sample 1 has shape \(9, 9\).* with at most 8 channels"),
    "missing row": (lambda _: [None], r"sample 1 is missing \(None\)"),
    "number": (lambda _: [3.5], r"Sample 1 is a number \(float\)"),
    "words": (lambda _: [["a", "b"]], "sample 1 holds <U1 values"),
    "bits": (lambda _: [np.ones(9, bool)], "sample 1 holds bool values"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_clips_are_refused_before_work_starts(case, listener, tmp_path):
    make, message = BAD[case]
    before = features.n_computed
    with pytest.raises((ValueError, TypeError), match=message):
        listener.fit([tone(500), *make(tmp_path)])
    assert features.n_computed == before


@pytest.mark.parametrize(
    ("X", "parameters", "message"),
    [
        (
            [tone(500), tone(500)[:-1]],
            {"sample_rate": None},
            r"Sample 0 has 3200 values, sample 1 has 3199; .* sample_rate=…",
        ),
        (tone(500), {}, r"expected audio.* Got an array of shape \(3200,\); a single sample goes in as \[X\]"),
        (np.zeros((2, 9, 12)), {}, r"sample 0 has shape \(9, 12\)"),
        ([], {}, r"Found array with 0 sample\(s\)"),
        ([tone(500)], {"sample_rate": 16}, "The 'sample_rate' parameter of BackboneTransformer must be a float in the"),
        ([tone(500)], {"input_shape": (40, 80)}, r"input_shape is for flattened images\. Got audio"),
    ],
)
def test_contradicting_parameters_are_refused(listener, X, parameters, message):
    with pytest.raises(ValueError, match=message):
        listener.set_params(**parameters).fit(X)


def test_encoder_of_texts_is_refused(listener, minilm):
    with pytest.raises(ValueError, match=r"'minilm_l6' takes texts\. Got audio"):
        listener.set_params(backbone=minilm).fit([tone(500)])


def test_network_for_tables_is_refused(listener):
    table = load_backbone("mlp", input_shape=(5,))
    with pytest.raises(
        ValueError, match=r"'mlp' takes samples of shape \(5,\)\. Got audio; pass a backbone for images"
    ):
        listener.set_params(backbone=table).fit([tone(500)])


def test_arrays_after_files_need_their_rate(files):
    fitted = BackboneTransformer(image_size=32).fit(files)
    with pytest.raises(ValueError, match=r"sample 0 is a waveform of unknown rate\. .* pass sample_rate=…"):
        fitted.transform(np.zeros((2, 4000)))
    with pytest.raises(ValueError, match=r"sample 1 is a waveform of unknown rate\. .* pass sample_rate=…"):
        fitted.transform([files[0], tone(500)])
    with pytest.raises(ValueError, match=r"sample 1 is missing \(nan\)\. Expected audio"):
        fitted.transform([files[0], np.nan])


def test_other_kinds_after_audio_are_refused(listener, clips, images):
    with pytest.raises(ValueError, match=r"sample 0, 'a text', is missing\. Expected the path of a sound file"):
        listener.fit(clips[0]).transform(["a text"])


def test_audio_is_neither_augmented_nor_reconstructed(clips, files):
    with pytest.raises(ValueError, match=r"augmentation changes images\. Got audio"):
        TransferClassifier(sample_rate=8000, image_size=32, augmentation="flip").fit(*clips)
    with pytest.raises(ValueError, match=r"Got audio, which a decoder does not give back; BackboneTransformer"):
        AutoencoderTransformer().fit(files)


def test_without_soundfile_the_extra_is_named(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"Reading sound files needs 'soundfile'.*skltransfer\[audio\]"):
        BackboneTransformer(image_size=32).fit(files)


@pytest.mark.parametrize("name", ["a.WAV", "b.flac", "c.ogg", "d.mp3", "e.aiff"])
def test_names_of_sound_files_are_known(name):
    assert recognise([name], ReadOptions()) == Audio()
    assert recognise(gathered(pd.DataFrame({"clip": [None, name]})), ReadOptions()) == Audio()


def test_streamed_files_of_unknown_length_are_read(tmp_path):
    path, clip = tmp_path / "streamed.wav", np.sin(np.arange(8000) / 5)
    soundfile.write(path, clip, 8000, subtype="FLOAT")
    heard = LogMelSpectrogram(16000, PLAIN)
    whole = read_audio([path], None)[0].read([0], heard)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 4 + content[8:])
    np.testing.assert_array_equal(read_audio([path], None)[0].read([0], heard), whole)
    assert whole.any()
