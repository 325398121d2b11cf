"""What is settled before a fit starts: the backbone, and parameters that contradict each other."""

from __future__ import annotations

from numbers import Integral

from skltransfer._engine.callbacks import check_callbacks
from skltransfer._engine.trainable import TrainableLayers
from skltransfer._estimators.parameters import FitParameters
from skltransfer._inputs.kind import InputFormat
from skltransfer._inputs.samples import Samples
from skltransfer._inputs.texts import TextSamples
from skltransfer.backbones._backbone import Backbone
from skltransfer.backbones._registry import load_backbone, takes_shape
from skltransfer.backbones._text import text_transformer


def starting_backbone(own: FitParameters, format: InputFormat, samples: Samples) -> Backbone:
    """Load the backbone that the parameters name, for samples of this format."""
    source = own.backbone
    if isinstance(source, str) and source == "auto":
        source = format.kind.default_backbone
    if isinstance(samples, TextSamples) and isinstance(source, str) and source == "small_transformer":
        return text_transformer(samples.texts, own.seed)
    shape = format.kind.builder_shape(format, own.image_size) if takes_shape(source) else None
    random_state = int(own.random_state) if isinstance(own.random_state, Integral) else own.seed
    return load_backbone(source, input_shape=shape, random_state=random_state)


def check_training(own: FitParameters, format: InputFormat, trainable: TrainableLayers) -> None:
    """Refuse training parameters that contradict each other, or the samples."""
    check_callbacks(own.callbacks or ())
    if trainable.kind == "lora" and own.l2_sp:
        raise ValueError("l2_sp penalizes weights that LoRA does not change. Pass l2_sp=0, or another trainable.")
    if own.augmentation is not None and not format.kind.is_image:
        raise ValueError(
            f"augmentation changes images. Got {format.describe()}; pass augmentation=None, or "
            "input_shape=(height, width) if samples are flattened images."
        )
    if own.checkpoint is not None and not isinstance(own.random_state, Integral):
        raise ValueError(
            "checkpoint: expected an int as random_state, so that the same fit finds its state again. Got "
            f"random_state={own.random_state!r}; pass a number, such as random_state=0."
        )
