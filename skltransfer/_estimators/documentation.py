"""The texts of parameters and attributes that several estimators share."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from skltransfer._engine.augmentation import AUGMENTATIONS

Estimator = TypeVar("Estimator", bound=type)


def entries(text: str) -> dict[str, str]:
    r"""Split a section of a numpydoc docstring into its entries.

    Parameters
    ----------
    text : str
        Entries such as ``"tol : float, default=0.1\n    A tolerance."``, the names not indented.

    Returns
    -------
    dict of str to str
        Each entry by its name.

    Examples
    --------
    >>> sorted(entries("C : float\n    Strength.\ntol : float\n    Tolerance."))
    ['C', 'tol']
    """
    found = re.split(r"^(?=\w+ : )", text.strip(), flags=re.MULTILINE)
    return {entry.split(" : ")[0]: entry.rstrip() for entry in found if entry}


def names(known: Iterable[str]) -> str:
    """List names as a docstring does: ``"flip", "flip_shift"``."""
    return ", ".join(f'"{name}"' for name in known)


def documented(own: Mapping[str, str] | None = None) -> Callable[[Estimator], Estimator]:
    """Replace each line ``{name}`` in the docstring of a class by the text of that parameter or attribute.

    Parameters
    ----------
    own : mapping of str to str, default=None
        Texts of `entries` that come before those that all estimators share.

    Returns
    -------
    callable
        A class decorator. It raises ValueError for a name without a text. Without docstrings, as under ``python -OO``,
        it does nothing.
    """
    texts = {**SHARED, **(own or {})}

    def decorate(cls: Estimator) -> Estimator:
        if cls.__doc__ is not None:
            cls.__doc__ = re.sub(r"^( *)\{(\w+)\}$", lambda line: _indented(cls, line, texts), cls.__doc__, flags=re.M)
        return cls

    return decorate


def _indented(cls: type, line: re.Match[str], texts: Mapping[str, str]) -> str:
    indent, name = line.groups()
    if name not in texts:
        raise ValueError(
            f"The docstring of {cls.__name__} asks for the text of {name!r}. Expected one of {sorted(texts)}; add the "
            "text, or write it into the docstring."
        )
    return "\n".join(indent + part for part in texts[name].splitlines())


def _told() -> str:
    return ", ".join(f'"{name}" {augmentation.text}' for name, augmentation in AUGMENTATIONS.items())


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="    ", subsequent_indent="    ")


SHARED = entries(
    f"""\
augmentation : {{{names(AUGMENTATIONS)}}}, keras.layers.Layer or None, default=None
{_paragraph(f"Random changes of images in training: {_told()}; a layer takes and gives images from 0 to 255.")}
"""
) | entries(
    """\
backbone : str, path-like, Backbone, keras.Model or callable, default="auto"
    Whatever `load_backbone` takes. "auto" is ``"efficientnet_lite0"`` for images and audio, and
    ``"minilm_l6"`` for texts. No pretrained network can know the columns of a table: there,
    "auto" is the untrained ``"mlp"``, trained from scratch; but a classifier or regressor with
    the default head, and no parameter of the training set, chooses between the columns and
    Gaussian kernels of them, and trains nothing else. Compare trees by `negative_transfer_check`.
input_shape : tuple of (height, width[, channels]), default=None
    Shape of one image, if each is a flattened sample.
pixel_range : tuple of (black, white), default=None
    Pixel values of black and white; None learns them in `fit`. Values beyond by up to 5 %
    of the range are clipped, others are an error. uint8 arrays and files of 8 bits are
    from 0 to 255, unless ``pixel_range`` says less. See "Pixel values" in the design notes.
image_size : "auto", int or tuple of (height, width), default="auto"
    Size at which the network sees images. "auto" is the network's own fixed size, or,
    for a pretrained one that takes any size, 160 for arrays of images up to 160
    pixels, and the size it was trained at for larger ones and for image files. An
    untrained network sees arrays as they are and files at 160. A log-mel
    spectrogram has 64 mel bands and a column each 10 ms; a pretrained network that takes any
    size sees it half as high again and twice as wide.
sample_rate : float, default=None
    Sample rate of waveforms, in Hz; needed for arrays, while audio files (WAV, FLAC, OGG, …)
    know their own, and a tuple of (rate, waveform) brings it along: ``sample_rate`` has to be
    the same then, or None. With it, a list of 1-d arrays and an array of shape (n, length)
    are audio, not a table. A clip of shape (channels, length) or (length, channels) is
    averaged over its channels, as files are; they are at most 8, and fewer than the length.
    A clip is seen as a log-mel spectrogram, as long as the longest of `fit`, in half seconds
    up to 10 s: shorter ones end in silence, longer ones are cut. A backbone made for
    spectrograms (images 64 pixels high) keeps its own length.
sample_kind : {"table", "sequences", "image_arrays", "image_files", "texts", "audio"}, default=None
    What samples are. None recognizes it in `fit`, and raises where that is open, as for texts
    that look like paths. After `fit`, samples have to be of the kind that it saw.
memory : path-like or joblib.Memory, default=None
    Folder in which features of frozen layers are cached for other processes and later runs; of a
    `joblib.Memory`, its ``location``. None caches them in this process, up to 512 MiB.
runtime : {"keras", "auto", "onnxruntime", "openvino"}, default="keras"
    What computes features of frozen layers, in `fit` and afterwards. The others need TensorFlow as
    Keras' backend; ONNX Runtime needs the extra ``export``, and OpenVINO ``openvino`` as well. A
    network is converted once in a process, which takes seconds, so they pay from some thousand
    samples on. Features agree to 1e-5 of the largest, and are the same bits on one runtime. "auto"
    is ONNX Runtime where it is installed and the processor lacks AVX-512, and Keras elsewhere.
trainable : {"auto", "head", "all", "norm", "lora"}, int, LoRA or GradualUnfreezing, default="auto"
    Which layers of the backbone are fine-tuned, besides the new ones on top of it, which
    always are trained: none ("head"), all, the scales and shifts of normalizations ("norm"),
    LoRA adapters ("lora"), the last so many stages, or one stage after the other
    (`GradualUnfreezing`). "auto" is none on a pretrained backbone and all on an untrained one.
budget : float or None, default=None
    With ``trainable="auto"``: how many epochs of fine-tuning may be spent, at least 2, on finding
    out whether a fine-tuned network is better than the frozen one. A quarter of the samples (or
    ``X_val``) is held out, and all layers are fine-tuned; from 20 on also LoRA adapters, from 40
    on also all layers at a tenth of the learning rate. If the loss of one of them there is smaller
    than that of the frozen network, a linear head is solved on all samples above the fine-tuned
    network, or above one half way between its weights and the pretrained ones; other heads are
    trained once more, with the network, on all samples. See ``selection_``. Where the parameters
    are left as they are, mini-batches have 8 to 32 samples, ``layer_decay`` is 0.9, labels are
    smoothed by 0.1, and images are mirrored and shifted. On a table, a trained network is tried
    beside the kernels on four folds, and taken if its loss is smaller by more than a standard
    error. With fewer than 80 samples `fit` warns and tries nothing. Progress bars, and callbacks
    of scikit-learn, follow the last fit alone. None leaves the network frozen.
head : {"linear", "mlp", "attention"}, MLPHead or AttentionHead, default="linear"
    What turns features into decisions. "attention" learns how much each place of a grid
    or sequence counts, where the others average.
features : {"auto", "last"}, default="auto"
    What a linear head on a frozen pretrained network decides on. "last" is the average of
    the last stage. "auto" is chosen among it, grids of late stages and of small pixels, or
    averages of earlier stages and a bag of words for texts, all of one forward pass, by the error
    of samples held out; see ``selection_``. Tables have their columns alone.
epochs : int or "auto", default="auto"
    Passes over the samples. "auto" is at least 10, and as many as make 300 steps.
batch_size : int or "auto", default="auto"
    Mini-batch size. "auto" is all samples of a table up to 1024 samples, else 32.
learning_rate : float or "auto", default="auto"
    Peak learning rate of AdamW. "auto" is 0.01 where a mini-batch is all samples (0.003 for
    LoRA), 0.0001 where weights of a pretrained backbone are fine-tuned, 0.03 for an attention
    head on a frozen one, and 0.001 else.
schedule : {"cosine", "constant"}, default="cosine"
    Learning-rate schedule after the warm-up: down to 0, or constant.
warmup : float, default=0.1
    Share of all steps in which the learning rate rises to its peak. (0.3 with "cosine" is
    known as one-cycle.)
layer_decay : float, default=1.0
    Factor of the learning rate from one stage of the backbone to the one before it.
weight_decay : float, default=0.0
    Decoupled weight decay of AdamW, as a share of the learning rate; vectors do not decay.
l2_sp : float, default=0.0
    Strength of the L2-SP penalty: half the squared distance of the fine-tuned weights from
    those that training starts from.
delta : float, default=0.0
    Strength of the DELTA penalty: half the squared distance of the last feature maps from
    those of the network that training starts from. Channels count as much as the solved head
    loses without them.
attention_transfer : float or AttentionTransfer, default=0.0
    Strength of the attention-transfer loss: the distance of where the last feature maps are
    active from where those of the network that training starts from are, or of another
    network. With another one, augmented images have ``n_views`` views.
mixup : float, default=0.0
    Parameter of the Beta distribution by which pairs of samples are mixed in training.
n_views : int, default=4
    Views of each sample for frozen layers: the sample itself, and augmented ones, computed
    once and cached. Where no layer is frozen, each epoch draws anew.
solve_head : bool, default=True
    Whether training starts from the solved head, on a pretrained backbone.
batch_norm : {"auto", "inference", "train"}, default="auto"
    Whether batch normalizations of fine-tuned layers use the statistics of mini-batches.
    "auto" is "inference" on a pretrained backbone and "train" on an untrained one.
early_stopping : bool, default=False
    Whether to hold out samples, stop when their loss no longer falls, and keep the weights
    of the best epoch. Where the head is solved, all samples are used.
validation_fraction : float, default=0.1
    Share of the samples that are held out, of each class alike. Groups stay whole if they are
    given.
n_iter_no_change : int, default=10
    Epochs without a better validation loss after which to stop.
tol : float, default=0.0001
    By how much a validation loss has to be lower to be better.
warm_start : bool, default=False
    Whether another `fit` starts from the weights of the last one.
checkpoint : path-like, default=None
    Folder in which training is saved after each epoch. The same fit called again resumes
    from what it finds there; this needs an int as ``random_state``.
callbacks : list of keras.callbacks.Callback, default=None
    Called while the network is trained, as Keras does. They are the only parameters that
    `fit` changes: the objects themselves are used, so that what they recorded can be read
    afterwards; `clone` copies them. The learning rate that they see and set is the peak, of
    which ``schedule`` and ``warmup`` take a share at each step. Their ``model`` is what is
    trained on top of the frozen part, and there only during `fit`. They are not called
    where the head is solved.
metrics : list of str, keras.metrics.Metric or callable, default=None
    What is measured each epoch besides the loss, and is in ``history_``: names that
    `keras.Model.compile` knows, metrics or functions. Those of a regressor get values in the
    units of ``y``. Those of a classifier get probabilities, and a column of 0 and 1 for each
    class, or the numbers of classes if they are called "sparse"; accuracy is measured in any case.
verbose : int, default=0
    Whether to draw a progress bar of the epochs in `fit`, and of samples while features of frozen
    layers are computed, in `fit` and afterwards.
random_state : int, RandomState instance or None, default=None
    Draws the weights of untrained layers and, in training, the order of the samples, random
    changes of them, and which are held out.
selection_ : dict of str to list
    What was tried, by column: with a ``budget``, ways of fine-tuning with their loss on samples
    held out; for a head that is solved, blocks of features with their squared error on samples
    held out and its standard error beside the best, and values of ``C`` with their log loss and
    temperature. On a table of at least 50 samples, the last row is a random forest (log loss, or
    squared error of values): where its error is smaller, trees, such as gradient boosting, are the
    better tool. ``pandas.DataFrame(selection_)`` is a table of it.
model_ : FittedModel
    What `fit` made, as one immutable value; ``model_.to_keras()`` is an ordinary Keras network
    from raw samples to answers.
backbone_ : Backbone
    The network, ready to start another estimator.
n_features_in_ : int
    Values in one sample; 1 for image and audio files and for waveforms.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the columns, if `fit` saw a frame.
"""
)
