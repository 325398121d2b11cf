"""Texts, and how they become token numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skltransfer._inputs.containers import Form, items
from skltransfer._inputs.kind import ImageSize, InputFormat, Network, ReadOptions, SampleKind, Validate
from skltransfer._inputs.samples import Positions, SampleSpec, pad
from skltransfer._keras.optional import import_optional
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.types import Array


@dataclass(frozen=True, eq=False, repr=False)
class Tokenization:
    """How texts become token numbers, as an immutable value.

    Parameters
    ----------
    definition : str
        A tokenizer of the `tokenizers` library, as JSON; 0 has to be its padding.
    longest : int
        Tokens, marks of begin and end included, after which a text is cut.
    """

    libraries: ClassVar[tuple[str, ...]] = ("tokenizers",)
    """What reads samples, besides this package; features change with it."""

    definition: str
    longest: int

    @cached_property
    def digest(self) -> str:
        """Digest of the tokenizer and the limit, in hexadecimal."""
        return content_hash(self.definition, str(self.longest)).hex()

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary."""
        return int(_tokenizer(self.definition, self.longest).get_vocab_size())

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return the token numbers of each text."""
        found = _tokenizer(self.definition, self.longest).encode_batch_fast([_encodable(text) for text in texts])
        return [np.array(encoding.ids, dtype=np.int32) for encoding in found]

    def tokens(self, text: str) -> list[tuple[str, int, int]]:
        """Return each token of a text, with where it begins and ends in it."""
        encoding = _tokenizer(self.definition, self.longest).encode(_encodable(text))
        return [(token, *place) for token, place in zip(encoding.tokens, encoding.offsets, strict=True)]

    def __call__(self, tokens: Any) -> Any:
        """Prepare token numbers for the network, which takes them as they are."""
        return tokens

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenization) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Tokenization({self.digest}, longest={self.longest})"


class TextSamples:
    """Texts, of which token numbers are made when they are read.

    Parameters
    ----------
    texts : sequence of str
        One a sample.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self._tokens: dict[tuple[Tokenization, int], NDArray[np.int32]] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def layout(self, preparation: Tokenization) -> SampleSpec:
        """Return shape and dtype of a sample as `read` gives it; the length of each sample is its own."""
        return (None,), "int32"

    def digest(self, position: int) -> bytes:
        """Digest of the text."""
        return content_hash(_encodable(self.texts[position]))

    def lengths(self, positions: Positions, preparation: Any) -> NDArray[np.intp]:
        """Return how many tokens each sample has."""
        return np.array([len(tokens) for tokens in self._encoded(positions, preparation)], dtype=np.intp)

    def read(self, positions: Positions, preparation: Any = None) -> Array:
        """Return token numbers of shape (n, longest of these samples), 0 where a text has ended."""
        return pad(self._encoded(positions, preparation))

    def take(self, kept: Array) -> TextSamples:
        """Return the samples that a boolean mask keeps."""
        return self if kept.all() else TextSamples([self.texts[i] for i in np.flatnonzero(kept).tolist()])

    def _encoded(self, positions: Positions, preparation: Tokenization) -> list[NDArray[np.int32]]:
        keys = [(preparation, int(i)) for i in positions]
        new = [key for key in dict.fromkeys(keys) if key not in self._tokens]
        if new:
            found = preparation.encode([self.texts[i] for _, i in new])
            self._tokens |= dict(zip(new, found, strict=True))
        return [self._tokens[key] for key in keys]


def word_pieces(
    vocabulary: Sequence[str], *, unknown: str, ends: tuple[str, str], lower: bool, accents: bool, longest: int
) -> Tokenization:
    """Cut texts into the longest known pieces of words, as BERT does.

    Parameters
    ----------
    vocabulary : sequence of str
        The pieces, by number; those inside of words begin with ``##``.
    unknown : str
        Stands for a word that has no pieces.
    ends : tuple of (begin, end)
        Marks around a text.
    lower, accents : bool
        Whether capitals become small letters, and whether accents are kept.
    longest : int
        Tokens after which a text is cut.
    """
    tokenizers = import_optional("tokenizers", extra="text", purpose="Reading texts")
    numbers = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(numbers, unk_token=unknown))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lower, strip_accents=not accents)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    _mark_ends(tokenizer, ends, numbers)
    return Tokenization(tokenizer.to_str(), longest)


def learn_tokenization(texts: Sequence[str], *, size: int = 8192, longest: int = 256) -> Tokenization:
    """Learn a vocabulary of pieces of words, lower case and without accents.

    Parameters
    ----------
    texts : sequence of str
        Where the pieces come from.
    size : int, default=8192
        At most so many pieces.
    longest : int, default=256
        Tokens after which a text is cut.

    References
    ----------
    Sennrich, Haddow & Birch, "Neural Machine Translation of Rare Words with Subword
    Units", ACL 2016.
    """
    tokenizers = import_optional("tokenizers", extra="text", purpose="Reading texts")
    words = tokenizers.pre_tokenizers
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = words.Sequence([words.BertPreTokenizer(), words.Metaspace()])
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    # the trainers of WordPiece and Unigram learn other pieces at each call
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, special_tokens=marks, show_progress=False)
    tokenizer.train_from_iterator([_encodable(text) for text in texts], trainer)
    _mark_ends(tokenizer, (marks[2], marks[3]), tokenizer.get_vocab())
    return Tokenization(tokenizer.to_str(), longest)


def _mark_ends(tokenizer: Any, ends: tuple[str, str], numbers: dict[str, int]) -> None:
    from tokenizers.processors import TemplateProcessing

    marks = [(mark, numbers[mark]) for mark in ends]
    tokenizer.post_processor = TemplateProcessing(f"{ends[0]} $A {ends[1]}", special_tokens=marks)


def read_texts(X: Any) -> TextSamples:
    """Read texts from any container that `gathered` takes."""
    return TextSamples(items(X))


class Texts(SampleKind):
    """Strings."""

    name = "texts"
    noun = "texts"
    forms = frozenset({Form.STRING})
    default_backbone = "minilm_l6"
    is_text = True
    is_mixable = False

    def _read(
        self, X: Any, options: ReadOptions, validate: Validate, learned: InputFormat | None
    ) -> tuple[TextSamples, InputFormat]:
        return read_texts(X), learned or InputFormat(self, ())

    def n_features(self, format: InputFormat) -> int:
        """Return ``n_features_in_``."""
        return 1

    def builder_shape(self, format: InputFormat, image_size: Any) -> None:
        """Return None: texts have no shape."""
        return

    def raw_spec(self, format: InputFormat, preparation: Any, dtype: str) -> tuple[tuple[int | None, ...], str]:
        """Return that a raw sample is token ids, as many as there are."""
        return (None,), "int32"

    def preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> Tokenization:
        """Return how texts become token numbers; see `SampleKind.preparation`."""
        if network.tokenization is None:
            raise ValueError(
                f"X: the backbone {network.name!r} takes samples of shape {network.input_shape}. Got texts; pass a "
                "backbone for texts, such as 'minilm_l6'."
            )
        found: Tokenization = network.tokenization
        return found

    def _preparation(self, network: Network, format: InputFormat, image_size: ImageSize) -> Tokenization:
        return self.preparation(network, format, image_size)

    def check_restorable(self) -> None:
        """Raise ValueError, as texts have no values."""
        raise ValueError(
            "X: expected numbers or images. Got texts, which have no values to restore; encode them first, as in "
            "make_pipeline(BackboneTransformer(), AutoencoderTransformer())."
        )


def _encodable(text: str) -> str:
    """Replace halves of characters, which no encoding of Unicode has."""
    return text.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=8)
def _tokenizer(definition: str, longest: int) -> Any:
    tokenizers = import_optional("tokenizers", extra="text", purpose="Reading texts")
    tokenizer = tokenizers.Tokenizer.from_str(definition)
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    tokenizer.encode_special_tokens = True  # "[PAD]" in a text is a word, and no padding
    return tokenizer
