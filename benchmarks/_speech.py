"""Spoken words, made with the speech synthesiser eSpeak NG: voices that differ in accent, vocal tract and pitch."""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import soundfile
from _data import _folder, _pip

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
OTHER_WORDS = (
    "yes", "no", "up", "down", "left", "right", "stop", "go", "on", "off", "red", "green", "blue", "black",
    "white", "house", "tree", "water", "river", "mountain", "dog", "cat", "bird", "fish", "happy", "open",
    "close", "follow", "forward", "backward", "music", "paper", "window", "table", "garden", "summer", "winter",
    "morning", "evening", "planet", "ocean", "bridge", "hundred", "letter", "number", "village", "doctor",
    "sister", "brother", "finger", "shoulder", "simple", "purple", "yellow", "lion", "money", "coffee",
    "market", "engine", "rocket",
)  # fmt: skip
TRAINING_VOICES = ("en-us+m1", "en-us+f1", "en-us-nyc+m2", "en+m3", "en+f2", "en-gb-x-rp+m4", "en-us+f5", "en+m7")
FURTHER_VOICES = (
    "en-us+Alex", "en+Andy", "en-us+Annie", "en+edward", "en-us+Michael", "en-gb-x-rp+grandma", "en+Alicia",
    "en-us+Lee", "en+steph", "en-us-nyc+Gene", "en-us+paul", "en+belinda",
)  # fmt: skip
"""They and the voices of training speak the other words."""
TEST_VOICES = (
    "en-gb-scotland+m5", "en-gb-scotland+f3", "en-029+m6", "en-029+f4", "en-gb-x-gbclan+m8", "en-us+croak",
    "en-gb-x-gbcwmd+linda", "en-us+klatt2",
)  # fmt: skip
"""No variant and, but for two rough voices, no accent is one of training."""
Manner = tuple[int, int]
MANNERS: tuple[Manner, ...] = ((130, 35), (130, 60), (170, 35), (170, 60), (210, 35), (210, 60))
"""Words a minute, and pitch on the scale of eSpeak NG."""
SYNTHESISED_AT = 22050


@dataclass(frozen=True)
class Clips:
    """Paths of WAV files, and the word and the voice of each."""

    paths: np.ndarray
    words: np.ndarray
    voices: np.ndarray

    def where(self, kept: np.ndarray) -> Clips:
        return Clips(self.paths[kept], self.words[kept], self.voices[kept])


class Synthesiser:
    """The shared library of eSpeak NG, of which a process has one."""

    RETRIEVAL, RATE, PITCH, UTF8 = 1, 1, 3, 1

    def __init__(self) -> None:
        folder = _folder("espeak", lambda into: _pip("espeakng-loader==0.2.4", into)) / "espeakng_loader"
        self.library = ctypes.CDLL(str(folder / "libespeak-ng.so"))
        rate = self.library.espeak_Initialize(self.RETRIEVAL, 0, str(folder).encode(), 0)
        if rate != SYNTHESISED_AT:
            raise RuntimeError(f"eSpeak NG did not start in {folder} (it answered {rate}).")
        self.parts: list[np.ndarray] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self.callback = kind(self._take)  # the library keeps no reference
        self.library.espeak_SetSynthCallback(self.callback)

    def _take(self, samples: ctypes.Array, number: int, events: int) -> int:
        if samples and number > 0:
            self.parts.append(np.ctypeslib.as_array(samples, (number,)).copy())
        return 0

    def say(self, word: str, voice: str, speed: int, pitch: int) -> np.ndarray:
        """Samples of a word, int16 at `SYNTHESISED_AT`."""
        self.parts.clear()
        if self.library.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"eSpeak NG has no voice {voice!r}.")
        self.library.espeak_SetParameter(self.RATE, speed, 0)
        self.library.espeak_SetParameter(self.PITCH, pitch, 0)
        text = word.encode()
        self.library.espeak_Synth(text, len(text) + 1, 0, 1, 0, self.UTF8, None, None)
        self.library.espeak_Synchronize()
        return np.concatenate(self.parts)


@cache
def _synthesiser() -> Synthesiser:
    return Synthesiser()


def recorded(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As if from a microphone: a pause before, another loudness, and noise 10 to 30 dB below."""
    spoken = samples / 32768
    pause = np.zeros(int(random.uniform(0, 0.25) * SYNTHESISED_AT))
    clip = np.concatenate([pause, spoken])
    noise = random.standard_normal(len(clip)) * spoken.std() * 10 ** (-random.uniform(10, 30) / 20)
    return np.clip((clip + noise) * random.uniform(0.2, 0.9), -1, 1)


def _clips(name: str, words: Sequence[str], voices: Sequence[str], manners: Sequence[Manner] = MANNERS) -> Clips:
    said = list(product(words, voices, manners))

    def path(folder: Path, word: str, voice: str, manner: Manner) -> Path:
        return folder / f"{word}_{voice}_{manner[0]}_{manner[1]}.wav"

    def make(filled: Path) -> None:
        synthesiser = _synthesiser()
        for word, voice, manner in said:
            file = path(filled, word, voice, manner)
            random = np.random.default_rng(zlib.crc32(file.stem.encode()))
            soundfile.write(file, recorded(synthesiser.say(word, voice, *manner), random), SYNTHESISED_AT)

    folder = _folder(name, make)
    words_said, voices_heard, _ = zip(*said, strict=True)
    return Clips(np.array([str(path(folder, *clip)) for clip in said]), np.array(words_said), np.array(voices_heard))


def digits() -> tuple[Clips, Clips]:
    """Ten digits by eight training voices, and by eight voices that are heard nowhere else."""
    return _clips("spoken_digits", DIGITS, TRAINING_VOICES), _clips("spoken_digits_test", DIGITS, TEST_VOICES)


def other_words() -> Clips:
    """Sixty words that are no digits, by the training voices and twelve further ones, in half of the manners."""
    return _clips(
        "other_spoken_words", OTHER_WORDS, TRAINING_VOICES + FURTHER_VOICES, (MANNERS[0], MANNERS[3], MANNERS[4])
    )
