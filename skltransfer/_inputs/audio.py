"""Waveforms and sound files, and the image that a network sees of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skltransfer._inputs.files import FilesInUse
from skltransfer._inputs.formats import InputFormat
from skltransfer._inputs.image_arrays import Preparation
from skltransfer._inputs.image_files import is_path
from skltransfer._inputs.samples import Positions, SampleSpec
from skltransfer._keras.optional import import_optional
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.lru import ByteLRU
from skltransfer._utils.types import Array

RATE = 16_000
"""Samples a second to which all sounds are brought; speech has little above the 8 kHz that they can hold."""

LONGEST = 10
"""Seconds after which a clip is cut."""

STEP = 0.5
"""Clips get a whole number of steps of so many seconds, so that folds of a search agree in their length."""

HOP = 160
"""Samples from one column of the image to the next: 10 ms."""

BANDS = 64
"""Samples of the image, equally far apart on the mel scale."""

RATES = (1_000, 1_000_000)
"""Lowest and highest rate of a recording: below, hardly a band is left, and 16 kHz written as 16 is told."""

HEARD_BYTES = 2**28
"""Room for waveforms that were read; training asks for them at each epoch."""


STREAMED = 2**31 - 2**20
"""From here on, the length that a WAV file announces is what programs write that do not know it yet."""


@dataclass(frozen=True)
class LogMelSpectrogram:
    """How a waveform becomes what a network for images expects; part of the compiled network.

    The image is the loudness by pitch (mel scale, low pitches first) and time, in decibels
    below the loudest place of the clip: white there, black from ``decibels`` below on.

    Parameters
    ----------
    samples : int
        Length of a clip.
    pixels : Preparation
        How the image, of values from 0 to 255, goes on.
    rate, window, hop, bands : int
        Samples a second, of a window and from one window to the next; samples of the image.
    lowest : float
        Frequency from which bands begin, in Hz; they end at half the rate.
    decibels : float
        Range of loudness that is seen.
    """

    samples: int
    pixels: Preparation
    rate: int = RATE
    window: int = 400
    hop: int = HOP
    bands: int = BANDS
    lowest: float = 50.0
    decibels: float = 80.0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width at which the network sees the image."""
        return self.pixels.size or (self.bands, self.samples // self.hop + 1)

    def __call__(self, waves: Any) -> Any:
        """Prepare a tensor of shape (n, samples)."""
        return self.pixels(self.image(waves))

    def image(self, waves: Any) -> Any:
        """Turn waves of shape (n, samples) into images of shape (n, bands, times, 1), from 0 to 255."""
        from keras import layers, ops

        spectrum = layers.MelSpectrogram(
            fft_length=2 ** (self.window - 1).bit_length(),
            sequence_length=self.window,
            sequence_stride=self.hop,
            sampling_rate=self.rate,
            num_mel_bins=self.bands,
            min_freq=self.lowest,
            power_to_db=False,  # the layer's decibels are relative to the loudest clip of a batch
        )
        level = ops.log10(ops.maximum(spectrum(waves), 1e-10)) * 10.0
        loudest = ops.maximum(ops.max(level, axis=(1, 2), keepdims=True), -20.0)
        return ops.expand_dims(ops.clip(1.0 + (level - loudest) / self.decibels, 0.0, 1.0) * 255.0, -1)


class AudioSamples:
    """Sound files and arrays of samples, read when they are needed and not before.

    Parameters
    ----------
    items : sequence of path-like or array of shape (samples,)
        One clip a sample.
    rate : float or None
        Samples a second of arrays; files know their own.
    files : FilesInUse or None, default=None
        What is known of the files; they must not change.
    """

    def __init__(self, items: Sequence[Any], rate: float | None, files: FilesInUse | None = None) -> None:
        self.items, self.rate = items, rate
        self._files = files or FilesInUse("a sound")
        self._heard = ByteLRU(HEARD_BYTES)

    def __len__(self) -> int:
        return len(self.items)

    def layout(self, preparation: LogMelSpectrogram) -> SampleSpec:
        """Return shape and dtype of a sample as `read` gives it."""
        return (preparation.samples,), "float32"

    def digest(self, position: int) -> bytes:
        """Digest of the file's bytes, or of the samples and their rate."""
        item = self.items[position]
        if is_path(item):
            with self._files.reading(item, position), open(item, "rb") as file:
                return content_hash(file.read())
        return content_hash(np.ascontiguousarray(item), repr(float(self.rate or 0)))

    def read(self, positions: Positions, preparation: Any = None) -> NDArray[np.float32]:
        """Return clips as (n, samples): cut, or with silence after their ends."""
        filled = np.zeros((len(positions), preparation.samples), np.float32)
        for place, position in zip(filled, positions, strict=True):
            wave = self._wave(int(position))[: preparation.samples]
            place[: len(wave)] = wave
        return filled

    def take(self, kept: Array) -> AudioSamples:
        """Return the samples that a boolean mask keeps."""
        if kept.all():
            return self
        return AudioSamples([self.items[i] for i in np.flatnonzero(kept).tolist()], self.rate, self._files)

    def check(self) -> int:
        """Read each clip once, so that a bad one is told before any work starts; return the length of the longest."""
        return max(round(len(samples) / rate * RATE) for samples, rate in map(self._samples, range(len(self))))

    def _wave(self, position: int) -> NDArray[np.float32]:
        """Return a clip at the common rate, its loudest sample at 1."""
        key = str(position).encode()
        wave = self._heard.get(key)
        if wave is None:
            samples, rate = self._samples(position)
            wave = _resampled(samples / (np.abs(samples).max() or 1.0), rate).astype(np.float32)
            self._heard.put(key, wave, wave.nbytes)
        return wave

    def _samples(self, position: int) -> tuple[Array, float]:
        """Return the samples of a clip as real numbers, up to where it is cut, and their rate."""
        item = self.items[position]
        if is_path(item):
            with self._files.reading(item, position):
                samples, rate = _from_file(item, position)
        else:
            samples, rate = self._from_array(item, position)
        if not len(samples):
            raise ValueError(
                f"X: sample {position}{_called(item)} has no samples. Expected at least one; drop that sample."
            )
        if not np.isfinite(samples).all():
            raise ValueError(
                f"X: sample {position}{_called(item)} contains NaN or infinity; drop or repair that sample."
            )
        return samples, rate

    def _from_array(self, item: Any, sample: int) -> tuple[Array, float]:
        if item is None or np.ndim(item) != 1:
            what = f"has shape {np.shape(item)}" if np.ndim(item) else f"is {item!r}"
            raise ValueError(
                f"X: sample {sample} {what}. Expected a path or the samples of one channel, an array of shape (samples,), in "
                "every sample; average channels with clip.mean(axis=-1)."
            )
        if self.rate is None:
            raise ValueError(
                f"X: sample {sample} is an array of samples. Expected to know how many of them make a second; pass "
                "sample_rate=…, such as sample_rate=16000."
            )
        return _centred(np.asarray(item)[: _most(self.rate)], sample), self.rate


def read_audio(X: Any, sample_rate: float | None) -> tuple[AudioSamples, int]:
    """Read a list, Series, one-column frame or object array of clips, or an array of shape (n, samples).

    Parameters
    ----------
    X : sequence of paths or arrays, or array-like of shape (n, samples)
        The clips.
    sample_rate : float or None
        Samples a second of arrays.

    Returns
    -------
    samples : AudioSamples
        The clips.
    longest : int
        Samples of the longest clip at the common rate.

    Raises
    ------
    ValueError
        If a clip is missing, damaged, empty, or not finite; the message names its sample.
    TypeError
        If a sample is neither a path nor numbers.
    """
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OUT":
        X = X[:, 0]
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "biuf":
        raise ValueError(f"X: expected clips. Got one array of shape {X.shape}; a single clip goes in as [X].")
    samples = AudioSamples(list(X), sample_rate)
    if not len(samples):
        raise ValueError("X: Found array with 0 sample(s) while a minimum of 1 is required.")
    return samples, samples.check()


def audio_format(longest: int) -> InputFormat:
    """Return what a sample is if the longest of `fit` has so many samples at the common rate.

    Examples
    --------
    >>> audio_format(16_001).shape
    (64, 151, 1)
    """
    seconds = min(LONGEST, STEP * max(1, -(-longest // round(STEP * RATE))))
    return InputFormat("audio", (BANDS, round(seconds * RATE) // HOP + 1, 1))


def seen_size(format: InputFormat) -> tuple[int, int]:
    """Return the size at which a network pretrained on photographs sees the image of a sound.

    Examples
    --------
    >>> seen_size(audio_format(16_000))
    (96, 224)
    """
    return 3 * format.shape[0] // 2, 32 * -(-2 * format.shape[1] // 32)


def plan_spectrogram(
    pixels: Preparation, format: InputFormat, input_shape: tuple[int | None, ...]
) -> LogMelSpectrogram:
    """Settle how long clips are: as in `fit`, or as a network was made for that takes no other length."""
    height, width = input_shape[:2]
    times = width if height == BANDS and width is not None else format.shape[1]
    return LogMelSpectrogram((times - 1) * HOP, pixels)


def _from_file(path: Any, sample: int) -> tuple[Array, float]:
    soundfile = import_optional("soundfile", extra="audio", purpose="Reading sound files")
    _check_whole(path, sample)
    try:
        with soundfile.SoundFile(os.fspath(path)) as file:
            rate = file.samplerate
            if not RATES[0] <= rate <= RATES[1]:
                raise ValueError(
                    f"X: sample {sample}{_called(path)} has {rate} samples a second. Expected {_RATES_SENTENCE}"
                )
            return file.read(_most(rate), dtype="float64", always_2d=True).mean(axis=1), rate
    except soundfile.LibsndfileError as error:
        what = f"is not a sound that can be read ({error.error_string})"
        raise ValueError(f"X: sample {sample}{_called(path)} {what}. Replace the file or drop the sample.") from error


def _check_whole(path: Any, sample: int) -> None:
    """Refuse a WAV file that ends too early, which libsndfile reads without a word."""
    with open(path, "rb") as file:
        start, there = file.read(12), os.fstat(file.fileno()).st_size
    announced = int.from_bytes(start[4:8], "little") + 8
    if start[:4] == b"RIFF" and start[8:] == b"WAVE" and there < announced < STREAMED:
        raise ValueError(
            f"X: sample {sample}{_called(path)} ends after {there} of the {announced} bytes that it announces. Replace the "
            "file or drop the sample."
        )


def _centred(samples: Array, sample: int) -> Array:
    """Return samples as real numbers around silence at 0; their scale is left open, as only ratios are seen."""
    if samples.dtype.kind not in "if" and samples.dtype != np.uint8:
        raise TypeError(
            f"X: sample {sample} holds {samples.dtype} values. Expected samples as real or signed whole numbers (or uint8, "
            "silence at 128), or a path; convert that sample."
        )
    return samples - 128.0 if samples.dtype == np.uint8 else samples.astype(np.float64)


def _resampled(wave: Array, rate: float) -> Array:
    from scipy.signal import resample_poly

    ratio = Fraction(RATE / rate).limit_denominator(1000)
    return wave if ratio == 1 else resample_poly(wave, ratio.numerator, ratio.denominator)


def _most(rate: float) -> int:
    """How many samples are heard of a clip."""
    return int(np.ceil(LONGEST * rate))


def _called(item: Any) -> str:
    return f", {str(item)!r}," if is_path(item) else ""


_RATES_SENTENCE = f"{RATES[0]} to {RATES[1]}; resample the recording."
