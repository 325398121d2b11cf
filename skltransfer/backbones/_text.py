"""Transformer encoders for texts: token numbers in, one vector a token out, zeros where there is no token.

Zeros stand for padding between any two stages, so that a network cut in two needs no mask beside its tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skltransfer._inputs.texts import learn_tokenization
from skltransfer.backbones._backbone import Backbone, building
from skltransfer.backbones._conversion import from_keras

WIDTH, DEPTH, N_HEADS = 64, 4, 4

FEWEST_TOKENS = 64
"""Room for tokens is this or a power of two above it, so that folds of a search compile one network."""


def text_transformer(texts: Sequence[str], seed: int) -> Backbone:
    """Build a small encoder for the words of these texts, with random weights.

    Parameters
    ----------
    texts : sequence of str
        Its vocabulary is learned from them.
    seed : int
        Draws the weights.
    """
    words = learn_tokenization(texts)
    with building(seed):
        network = text_encoder(
            vocabulary=room_for(words.n_tokens), longest=words.longest, width=WIDTH, depth=DEPTH, n_heads=N_HEADS,
            inner=2 * WIDTH, epsilon=1e-6, name="small_transformer",
        )  # fmt: skip
        return from_keras(network, pretrained=False, tokenization=words, padded=True)


def room_for(n_tokens: int) -> int:
    """Return the size of an embedding for so many tokens.

    Examples
    --------
    >>> room_for(50), room_for(64), room_for(65)
    (64, 64, 128)
    """
    return max(FEWEST_TOKENS, 1 << (n_tokens - 1).bit_length())


def text_encoder(
    *, vocabulary: int, longest: int, width: int, depth: int, n_heads: int, inner: int, epsilon: float, name: str
) -> Any:
    """Build BERT's encoder with fresh weights.

    Parameters
    ----------
    vocabulary, longest : int
        Known tokens, and positions, of which texts have at most so many.
    width, depth, n_heads, inner : int
        Values of a token, blocks, ways of attention in a block, and units of a block's dense
        layer.
    epsilon : float
        Of the layer normalizations.
    name : str
        Of the network.

    Returns
    -------
    keras.Model
        Maps token numbers of shape ``(samples, tokens)``, 0 where a text has ended, to
        ``(samples, tokens, width)``. The softmax of each block, ``"block0_weights"`` and so on,
        has shape ``(samples, n_heads, tokens, tokens)``.

    References
    ----------
    Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", NAACL 2019.
    """
    import keras
    from keras import layers, ops

    def add_norm(x: Any, y: Any, name: str, part: str) -> Any:
        total = layers.Add(name=f"{name}_add_{part}")([x, y])
        return layers.LayerNormalization(epsilon=epsilon, name=f"{name}_norm_{part}")(total)

    tokens = keras.Input((None,), name="tokens", dtype="int32")
    places = ops.cumsum(ops.ones_like(tokens), axis=1) - 1
    x = layers.Embedding(vocabulary, width, name="words")(tokens)
    x = layers.Add(name="words_at_places")([x, layers.Embedding(longest, width, name="places")(places)])
    x = layers.LayerNormalization(epsilon=epsilon, name="norm")(x)
    x = _kept(x, ops.not_equal(tokens, 0), "embedded")
    for number in range(depth):
        block, present = f"block{number}", ops.max(ops.abs(x), axis=-1) > 0
        y = _attention(x, present, block, width, n_heads)
        x = add_norm(x, y, block, "a")
        y = layers.Dense(inner, activation="gelu", name=f"{block}_dense_a")(x)
        y = layers.Dense(width, name=f"{block}_dense_b")(y)
        x = add_norm(x, y, block, "b")
        x = _kept(x, present, block)
    return keras.Model(tokens, x, name=name)


def _kept(x: Any, present: Any, name: str) -> Any:
    """Put zeros where there is no token."""
    from keras import layers, ops

    return layers.Multiply(name=name)([x, ops.cast(ops.expand_dims(present, -1), "float32")])


def _attention(x: Any, present: Any, block: str, width: int, n_heads: int) -> Any:
    """Let each token see all others of its text."""
    from keras import layers, ops

    def heads(name: str) -> Any:
        y = layers.Dense(width, name=f"{block}_{name}")(x)
        y = layers.Reshape((-1, n_heads, width // n_heads), name=f"{block}_{name}_split")(y)
        return layers.Permute((2, 1, 3), name=f"{block}_{name}_heads")(y)

    keys = ops.transpose(heads("key"), (0, 1, 3, 2))
    scores = ops.matmul(heads("query") * (width // n_heads) ** -0.5, keys)
    absent = ops.cast(ops.logical_not(present), "float32")
    scores = scores - 1e9 * ops.expand_dims(ops.expand_dims(absent, 1), 1)
    weights = layers.Activation("softmax", name=f"{block}_weights")(scores)
    seen = layers.Permute((2, 1, 3), name=f"{block}_seen")(ops.matmul(weights, heads("value")))
    return layers.Dense(width, name=f"{block}_out")(layers.Reshape((-1, width), name=f"{block}_together")(seen))
