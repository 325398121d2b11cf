"""Waveforms and sound files, and the spectrogram that a network sees of them."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skltransfer._inputs.containers import Form, as_array, form_of, is_clip, is_path, items
from skltransfer._inputs.decoding import content_of
from skltransfer._inputs.files import FilesInUse
from skltransfer._inputs.image_arrays import Preparation, image_preparation
from skltransfer._inputs.kind import ImageSize, InputFormat, Network, ReadOptions, SampleKind, Validate
from skltransfer._inputs.samples import Positions, SampleSpec
from skltransfer._keras.optional import import_optional
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.lru import ByteLRU
from skltransfer._utils.types import Array

RATE = 16_000
"""Sample rate, in Hz, to which all clips are brought; speech has little above the 8 kHz that it can hold."""

LONGEST = 10
"""Seconds after which a clip is cut."""

STEP = 0.5
"""Clips get a whole number of steps of so many seconds, so that folds of a search agree in their length."""

HOP = 160
"""Samples of the waveform from one column of the spectrogram to the next: 10 ms."""

BANDS = 64
"""Rows of the spectrogram, equally far apart on the mel scale."""

RATES = (1_000, 1_000_000)
"""Lowest and highest sample rate of a recording, in Hz: below, hardly a band is left."""

MOST_CHANNELS = 8
"""A clip of two dimensions has at most so many channels, which are averaged."""

HEARD_BYTES = 2**28
"""Room for waveforms that were read; training asks for them at each epoch."""


STREAMED = 2**31 - 2**20
"""From here on, the length that a WAV file announces is what programs write that do not know it yet."""


@dataclass(frozen=True)
class LogMelSpectrogram:
    """How a waveform becomes what a network for images expects; part of the compiled network.

    The log-mel spectrogram is the loudness by pitch (mel scale, low pitches first) and time, in decibels
    below the loudest place of the clip: white there, and black from ``decibels`` below it on.

    Parameters
    ----------
    samples : int
        Length of a clip, at the common rate.
    pixels : Preparation
        What becomes of the spectrogram, of values from 0 to 255.
    rate, window, hop : int
        Samples of the waveform in a second, in a window, and from one window to the next.
    bands : int
        Rows of the spectrogram.
    lowest : float
        Frequency from which bands begin, in Hz; they end at half the rate.
    decibels : float
        Range of loudness that is seen.
    """

    libraries: ClassVar[tuple[str, ...]] = ("soundfile", "scipy")
    """What reads samples, besides this package; features change with it."""

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
        """Height and width at which the network sees the spectrogram."""
        return self.pixels.size or (self.bands, self.samples // self.hop + 1)

    def __call__(self, waves: Any) -> Any:
        """Prepare waveforms of shape (n, samples)."""
        return self.pixels(self.image(waves))

    def image(self, waves: Any) -> Any:
        """Turn waveforms of shape (n, samples) into spectrograms of shape (n, bands, times, 1), from 0 to 255."""
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
    """Sound files and waveforms, read when they are needed and not before.

    Parameters
    ----------
    items : sequence of path-like, bytes, array of shape (samples,) or (channels, samples), or tuple of (rate, array)
        The clips.
    rate : float or None
        Sample rate of waveforms, in Hz; files, their bytes, and tuples bring their own.
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
        """Return shape and dtype of a clip as `read` gives it."""
        return (preparation.samples,), "float32"

    def digest(self, position: int) -> bytes:
        """Digest of the file's bytes, or of the waveform and its rate."""
        item = self.items[position]
        if is_path(item):
            with self._files.reading(item, position), open(item, "rb") as file:
                return content_hash(file.read())
        if form_of(item) is Form.ENCODED:
            return content_hash(content_of(item))
        wave, own = _wave_and_rate(item)
        return content_hash(np.ascontiguousarray(wave), repr(float(own or self.rate or 0)))

    def read(self, positions: Positions, preparation: Any = None) -> NDArray[np.float32]:
        """Return waveforms of shape (n, samples): cut, or with silence after their ends."""
        filled = np.zeros((len(positions), preparation.samples), np.float32)
        for place, position in zip(filled, positions, strict=True):
            wave = self._wave(int(position))[: preparation.samples]
            place[: len(wave)] = wave
        return filled

    def take(self, kept: Array) -> AudioSamples:
        """Return the clips that a boolean mask keeps."""
        if kept.all():
            return self
        return AudioSamples([self.items[i] for i in np.flatnonzero(kept).tolist()], self.rate, self._files)

    def check(self) -> int:
        """Read each clip once, so that a bad one raises before any work starts; return the length of the longest."""
        return max(round(len(wave) / rate * RATE) for wave, rate in map(self._recording, range(len(self))))

    def _wave(self, position: int) -> NDArray[np.float32]:
        """Return a clip at the common rate, its loudest place at 1."""
        key = str(position).encode()
        wave = self._heard.get(key)
        if wave is None:
            recorded, rate = self._recording(position)
            wave = _resampled(recorded / (np.abs(recorded).max() or 1.0), rate).astype(np.float32)
            self._heard.put(key, wave, wave.nbytes)
        return wave

    def _recording(self, position: int) -> tuple[Array, float]:
        """Return the waveform of a clip in real numbers, up to where it is cut, and its rate."""
        item = self.items[position]
        if is_path(item):
            with self._files.reading(item, position):
                wave, rate = _from_file(item, position)
        elif form_of(item) is Form.ENCODED:
            wave, rate = _from_file(item, position)
        else:
            wave, rate = self._from_array(item, position)
        if not len(wave):
            raise ValueError(f"{_called(item, position)} is empty. Expected a clip of some length; drop that sample.")
        if not np.isfinite(wave).all():
            raise ValueError(f"{_called(item, position)} contains NaN or infinity; drop or repair that sample.")
        return wave, rate

    def _from_array(self, item: Any, position: int) -> tuple[Array, float]:
        wave, own = _wave_and_rate(item)
        wave = as_array(wave)
        if own is not None:
            _check_rate(own, self.rate, position)
        rate = own or self.rate
        if rate is None:
            raise ValueError(
                f"{_called(item, position)} is a waveform of unknown rate. Expected to know how many values make a "
                "second; pass sample_rate=…, such as sample_rate=16000, or a tuple of (rate, waveform)."
            )
        return _one_channel(wave, _most(rate), position), float(rate)


def read_audio(X: Any, sample_rate: float | None) -> tuple[AudioSamples, int]:
    """Read clips from any container that `gathered` takes.

    Parameters
    ----------
    X : sequence of paths, bytes or waveforms, or array-like of shape (n, samples) or (n, channels, samples)
        The clips.
    sample_rate : float or None
        Sample rate of waveforms, in Hz.

    Returns
    -------
    samples : AudioSamples
        The clips.
    longest : int
        Length of the longest clip at the common rate.

    Raises
    ------
    ValueError
        If a clip is missing, damaged, empty, not finite, or of an unknown or another rate; the message
        names its position.
    TypeError
        If a clip holds no numbers.
    """
    samples = AudioSamples(items(X), sample_rate)
    return samples, samples.check()


class Audio(SampleKind):
    """Waveforms and sound files, which networks see as log-mel spectrograms."""

    name = "audio"
    noun = "audio"
    forms = frozenset({Form.STRING, Form.PATH, Form.ENCODED, Form.VECTOR, Form.ARRAY, Form.CLIP})

    def _read(
        self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None
    ) -> tuple[AudioSamples, InputFormat]:
        samples, longest = read_audio(X, options.sample_rate)
        return samples, learned or audio_format(longest)

    def _check_options(self, options: ReadOptions) -> None:
        super()._check_options(options)
        if options.input_shape is not None:
            raise ValueError("input_shape is for flattened images. Got audio; pass input_shape=None.")

    def n_features(self, format: InputFormat) -> int:
        """Return ``n_features_in_``."""
        return 1

    def size_for_pretrained(self, format: InputFormat) -> tuple[int, int]:
        """Return the size at which a network pretrained on photographs sees a spectrogram.

        Examples
        --------
        >>> Audio().size_for_pretrained(audio_format(16_000))
        (96, 224)
        """
        return 3 * format.shape[0] // 2, 32 * -(-2 * format.shape[1] // 32)

    def raw_spec(
        self, format: InputFormat, preparation: LogMelSpectrogram, dtype: str
    ) -> tuple[tuple[int | None, ...], str]:
        """Return that a raw sample is a waveform of the length that the network sees."""
        return (preparation.samples,), dtype

    def check_restorable(self) -> None:
        """Raise ValueError, as spectrograms are not turned back into waveforms."""
        raise ValueError(
            "X: expected a table, images or sequences. Got audio, which a decoder does not give back; "
            "BackboneTransformer and TransferClassifier take it."
        )

    def _preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> LogMelSpectrogram:
        return plan_spectrogram(image_preparation(network, format, image_size), format, network.input_shape)


def audio_format(longest: int) -> InputFormat:
    """Return what a clip is if the longest of `fit` has this length at the common rate.

    Examples
    --------
    >>> audio_format(16_001).shape
    (64, 151, 1)
    """
    seconds = min(LONGEST, STEP * max(1, -(-longest // round(STEP * RATE))))
    return InputFormat(Audio(), (BANDS, round(seconds * RATE) // HOP + 1, 1))


def plan_spectrogram(
    pixels: Preparation, format: InputFormat, input_shape: tuple[int | None, ...]
) -> LogMelSpectrogram:
    """Settle how long clips are: as in `fit`, or as a network was made for that takes no other length."""
    height, width = input_shape[:2]
    times = width if height == BANDS and width is not None else format.shape[1]
    return LogMelSpectrogram((times - 1) * HOP, pixels)


def _from_file(item: Any, position: int) -> tuple[Array, float]:
    soundfile = import_optional("soundfile", extra="audio", purpose="Reading sound files")
    _check_whole(item, position)
    try:
        with soundfile.SoundFile(os.fspath(item) if is_path(item) else io.BytesIO(content_of(item))) as sound:
            rate = sound.samplerate
            if not RATES[0] <= rate <= RATES[1]:
                raise ValueError(f"{_called(item, position)} has a sample rate of {rate} Hz. {_RATES_SENTENCE}")
            return sound.read(_most(rate), dtype="float64", always_2d=True).mean(axis=1), rate
    except soundfile.LibsndfileError as error:
        what = f"is not a sound that can be read ({error.error_string})"
        raise ValueError(f"{_called(item, position)} {what}. Replace the file or drop the sample.") from error


def _check_whole(item: Any, position: int) -> None:
    """Refuse a WAV file that ends too early, which libsndfile reads without a word."""
    with open(item, "rb") if is_path(item) else io.BytesIO(content_of(item)) as file:
        start, there = file.read(12), file.seek(0, os.SEEK_END)
    announced = int.from_bytes(start[4:8], "little") + 8
    if start[:4] == b"RIFF" and start[8:] == b"WAVE" and there < announced < STREAMED:
        raise ValueError(
            f"{_called(item, position)} ends after {there} of the {announced} bytes that it announces. Replace the "
            "file or drop the sample."
        )


def _wave_and_rate(item: Any) -> tuple[Any, Any]:
    """Return a waveform, and its own rate if it brings one; see `is_clip`."""
    if not is_clip(item):
        return item, None
    if isinstance(item, Mapping):
        return item["array"], item["sampling_rate"]
    first, second = item
    return (second, first) if form_of(first) is Form.NUMBER else (first, second)


def _check_rate(own: Any, said: float | None, position: int) -> None:
    """Raise ValueError if the rate that a clip brings cannot be, or is not what the user said."""
    if not RATES[0] <= own <= RATES[1]:
        raise ValueError(f"X: sample {position} has a sample rate of {own:g} Hz. {_RATES_SENTENCE}")
    if said is not None and own != said:
        raise ValueError(
            f"X: sample {position} has a sample rate of {own:g} Hz. Expected sample_rate={said:g}; pass "
            "sample_rate=None, so that each clip is read at its own rate, or correct one of the two."
        )


def _one_channel(wave: Array, most: int, position: int) -> Array:
    """Return a waveform in real numbers, its channels averaged."""
    if wave.ndim == 2 and 1 in wave.shape:
        wave = wave.ravel()
    if wave.ndim == 2 and min(wave.shape) <= MOST_CHANNELS and wave.shape[0] != wave.shape[1]:
        channels = int(np.argmin(wave.shape))
        return _centred(np.moveaxis(wave, channels, 1)[:most], position).mean(axis=1)
    if wave.ndim != 1:
        raise ValueError(
            f"X: sample {position} has shape {wave.shape}. Expected a path or a waveform in every sample: an array of "
            f"shape (samples,), (channels, samples) or (samples, channels) with at most {MOST_CHANNELS} channels, "
            "which are fewer than the samples. Average or choose channels."
        )
    return _centred(wave[:most], position)


def _centred(wave: Array, position: int) -> Array:
    """Return a waveform in real numbers around silence at 0; its scale is left open, as only ratios are seen."""
    if wave.dtype.kind not in "if" and wave.dtype != np.uint8:
        raise TypeError(
            f"X: sample {position} holds {wave.dtype} values. Expected a waveform in real or signed whole numbers (or "
            "uint8, silence at 128), or a path; convert that sample."
        )
    return wave - 128.0 if wave.dtype == np.uint8 else wave.astype(np.float64)


def _resampled(wave: Array, rate: float) -> Array:
    ratio = Fraction(RATE / rate).limit_denominator(1000)
    if ratio == 1:
        return wave
    from scipy.signal import resample_poly

    return resample_poly(wave, ratio.numerator, ratio.denominator, window=_low_pass(max(ratio.as_integer_ratio())))


@lru_cache
def _low_pass(factor: int) -> Array:
    """Return the filter that `scipy.signal.resample_poly` designs by default, at each call anew."""
    from scipy.signal import firwin

    return firwin(20 * factor + 1, 1.0 / factor, window=("kaiser", 5.0))


def _most(rate: float) -> int:
    """Return after how many values a waveform is cut."""
    return int(np.ceil(LONGEST * rate))


def _called(item: Any, position: int) -> str:
    return f"X: sample {position}, {str(item)!r}," if is_path(item) else f"X: sample {position}"


_RATES_SENTENCE = f"Expected {RATES[0]} to {RATES[1]} Hz; resample the recording."
