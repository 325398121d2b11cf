"""What samples are: the base of all kinds, and the format that `fit` learns."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar, Protocol

import numpy as np

from skltransfer._inputs.containers import Form, as_array, form_of, named, stacked
from skltransfer._inputs.samples import Samples

Validate = Callable[..., Any]
"""`sklearn.utils.validation.validate_data` for one estimator, that learns or checks its columns."""

ImageSize = str | int | tuple[int, int]


class Network(Protocol):
    """What of a `Backbone` decides how samples go through it."""

    @property
    def name(self) -> str: ...

    @property
    def pretrained(self) -> bool: ...

    @property
    def input_shape(self) -> tuple[int | None, ...]: ...

    @property
    def size(self) -> tuple[int, int] | None: ...

    @property
    def mean(self) -> tuple[float, ...]: ...

    @property
    def std(self) -> tuple[float, ...]: ...

    @property
    def bgr(self) -> bool: ...

    @property
    def tokenization(self) -> Any: ...


@dataclass(frozen=True)
class ReadOptions:
    """What a user says of samples.

    Parameters
    ----------
    input_shape : tuple of (height, width[, channels]) or None
        Shape of one image, if samples are flattened.
    pixel_range : tuple of (black, white) or None
        Pixel values of black and white.
    sample_rate : float or None
        Of waveforms, in Hz.
    sequences : bool
        Whether arrays of shape (n, steps, channels) are series of numbers, and not grey images.
    allow_nan : bool
        Whether a table may miss values.
    """

    input_shape: tuple[int, ...] | None = None
    pixel_range: Any = None
    sample_rate: float | None = None
    sequences: bool = False
    allow_nan: bool = False


class SampleKind(ABC):
    """A kind of samples: how they are read, checked, described, and brought to a network.

    Kinds have no state; two of one class are equal.
    """

    name: ClassVar[str]
    """As the parameter ``sample_kind`` takes it."""

    noun: ClassVar[str]
    """What such samples are called in error sentences."""

    forms: ClassVar[frozenset[Form]]
    """Forms that a sample may have."""

    default_backbone: ClassVar[str] = "efficientnet_lite0"
    """What ``backbone="auto"`` means."""

    is_table: ClassVar[bool] = False
    """Whether samples have columns, each with a unit of its own, which may miss values."""

    is_numeric: ClassVar[bool] = False
    """Whether networks take the numbers as they are, and columns or channels are brought to one unit."""

    is_image: ClassVar[bool] = False
    """Whether samples are pixels, which can be augmented and drawn."""

    is_text: ClassVar[bool] = False
    """Whether samples are words."""

    is_mixable: ClassVar[bool] = True
    """Whether mixup can average two samples."""

    sizes_vary: ClassVar[bool] = False
    """Whether each image has a size of its own until it is read."""

    def read(
        self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None
    ) -> tuple[Samples, InputFormat]:
        """Check samples, and learn their format or hold them against it.

        Parameters
        ----------
        X : ndarray, list, frame or sparse matrix
            As `gathered` gives it.
        options : ReadOptions
            What the user says of them.
        validate : callable
            See `Validate`.
        learned : InputFormat or None
            What `fit` learned; None learns it.

        Returns
        -------
        samples : Samples
            The samples.
        format : InputFormat
            Their format.

        Raises
        ------
        ValueError, TypeError
            If samples are not of this kind, are damaged, or unlike those of `fit`.
        """
        if learned is None:
            self._check_options(options)
        self._check_forms(X, learned)
        return self._read(X, options, validate, learned)

    @abstractmethod
    def _read(
        self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None
    ) -> tuple[Samples, InputFormat]:
        """Read samples of the right form."""

    def describe(self, format: InputFormat) -> str:
        """Say what samples of this format are, for an error sentence."""
        return self.noun

    def n_features(self, format: InputFormat) -> int:
        """Return ``n_features_in_``."""
        return math.prod(format.shape)

    def builder_shape(self, format: InputFormat, image_size: Any) -> tuple[int, ...] | None:
        """Return the shape of one sample for a function that builds a network; None if there is none."""
        if isinstance(image_size, str):
            return format.shape
        size = (image_size, image_size) if isinstance(image_size, Integral) else tuple(image_size)
        return (*map(int, size), format.shape[2])

    def own_size(self, format: InputFormat) -> tuple[int, int] | None:
        """Return the height and width that all samples have, if they have them."""
        return None if self.sizes_vary else (format.shape[0], format.shape[1])

    def size_for_pretrained(self, format: InputFormat) -> tuple[int, int] | None:
        """Return the size at which a pretrained network that takes any size sees samples; None is its own."""
        return None

    def preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> Any:
        """Settle how samples become what a network takes.

        Parameters
        ----------
        network : Backbone
            The network.
        format : InputFormat
            What a sample is.
        image_size : "auto", int or (height, width)
            At which size the network sees images.

        Returns
        -------
        Preparation, Tokenization, LogMelSpectrogram or None
            None for numbers, which are taken as they are.

        Raises
        ------
        ValueError
            If the network does not take such samples.
        """
        if network.tokenization is not None:
            raise ValueError(
                f"X: the backbone {network.name!r} takes texts. Got {format.describe()}; pass strings, or "
                "another backbone."
            )
        return self._preparation(network, format, image_size)

    @abstractmethod
    def _preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> Any:
        """Settle how samples become what a network takes that takes no texts."""

    def raw_spec(self, format: InputFormat, preparation: Any, dtype: str) -> tuple[tuple[int | None, ...], str]:
        """Return shape and dtype of one raw sample for a network that prepares it itself, and computes in ``dtype``."""
        return format.shape, dtype

    def layout(self, X: Any, format: InputFormat) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype of a sample as the user has it, for others that are given back in the same way."""
        values = stacked(X, "samples") if isinstance(X, list) else as_array(X)
        return values.shape[1:], str(values.dtype)

    def check_restorable(self) -> None:
        """Raise ValueError if a decoder cannot give such samples back."""
        return

    def _check_options(self, options: ReadOptions) -> None:
        if options.pixel_range is not None and not self.is_image:
            raise ValueError(
                f"pixel_range is for images. Got {self.noun}; pass pixel_range=None, or input_shape=(height, width) "
                "if samples are flattened images."
            )

    def _check_forms(self, X: Any, learned: InputFormat | None) -> None:
        """Raise an error if a sample is missing, or of a form that this kind does not have."""
        if not isinstance(X, list):
            if (Form.NUMBER, Form.VECTOR, Form.ARRAY)[min(len(X.shape), 3) - 1] not in self.forms:
                said = f"{self.noun}, as sample_kind={self.name!r} says"
                hint = "; a single sample goes in as [X]" if len(X.shape) == 1 else ""
                raise ValueError(
                    f"X: expected {self._as_in_fit(learned) or said}. Got an array of shape {tuple(X.shape)}{hint}."
                )
            return
        for position, item in enumerate(X):
            form = form_of(item)
            if form is Form.MISSING:
                raise ValueError(
                    f"X: sample {position} is {named(item)}. Expected {self.noun} without missing samples; drop that "
                    "sample, or fill it."
                )
            if form not in self.forms:
                expected = self._as_in_fit(learned) or f"{self.noun} in every sample"
                raise TypeError(f"X: expected {expected}. Sample {position} is {named(item)}; drop or convert it.")

    def _as_in_fit(self, learned: InputFormat | None) -> str | None:
        return None if learned is None else f"{learned.describe()}, as in fit"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self).__qualname__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class InputFormat:
    """What one sample is, as `fit` saw it.

    Parameters
    ----------
    kind : SampleKind
        What it is.
    shape : tuple of int
        ``(columns,)`` of a table, ``(steps, channels)`` of sequences, ``(height, width,
        channels)`` of image arrays; image files have sizes of their own and are read as ``(0, 0,
        3)``; texts have no shape; clips have that of their spectrogram, ``(bands, times, 1)``.
    low, high : float, default=0 and 255
        Pixel values of black and white.
    pixel_range : tuple of (black, white) or None, default=None
        What the user said that they are.
    deep_range : tuple of (black, white) or None, default=None
        What they are in image files of more than 8 bits, if `fit` saw such files.
    """

    kind: SampleKind
    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 255.0
    pixel_range: tuple[float, float] | None = None
    deep_range: tuple[float, float] | None = None

    def describe(self) -> str:
        """Say what samples are, for an error sentence."""
        return self.kind.describe(self)


def unflattened(X: Any, validate: Validate, format: InputFormat) -> Any:
    """Return samples of a learned shape that a tool has flattened to lines of numbers.

    Raises
    ------
    ValueError
        If they have another number of values.
    """
    values, n_values = as_array(X), math.prod(format.shape)
    if values.shape[1] != n_values:
        one = values.shape in (format.shape, format.shape[:2])
        remedy = "a single sample goes in as X[None]" if one else "pass samples of that shape"
        raise ValueError(
            f"X: expected {format.describe()}, as in fit, or flattened to {n_values} values. Got an array of shape "
            f"{values.shape}; {remedy}."
        )
    return np.asarray(validate(X, dtype="numeric")).reshape(-1, *format.shape)
