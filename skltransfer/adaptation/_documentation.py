"""The texts of parameters that `DomainAdaptationClassifier` and `DomainAdaptationRegressor` share."""

from __future__ import annotations

from skltransfer._estimators.documentation import entries, names
from skltransfer.adaptation._automatic import CANDIDATES
from skltransfer.adaptation._methods import METHODS

ADAPTATION_TEXTS = entries(
    """\
ramp : {"sigmoid", "linear", "constant"}, default="sigmoid"
    How the weight rises from 0 in the epochs that adapt: fast at first, as in DANN, or
    along a line, or not at all.
aligned : {"embedding", "backbone"}, default="embedding"
    Which features are aligned, by methods that work by features: what the last layer decides
    on, or what the backbone gives, below the hidden layers of the head (the place in the paper
    of DANN; some of its stages have to be fine-tuned).
head : {"auto", "linear", "mlp"} or MLPHead, default="auto"
    What turns features into decisions. Its last hidden layer is the embedding; without
    one, features of the backbone are. "auto" is "linear" for methods that are solved, not
    trained ("standardize", "subspace_alignment", "linear_ot"), and "mlp" for the others.
features : {"auto", "last"}, default="auto"
    What a hidden layer of a head on a frozen network sees of texts. "last" is the average of the last
    stage. "auto" has averages of earlier stages and a bag of words beside it, each at one scale; how much
    each counts is chosen by the error on samples of the source that are held out. Other heads, other samples
    and networks that are fine-tuned have the last stage alone.
epochs : int or "auto", default="auto"
    Passes over the larger of the two domains, in all. "auto" is at least 10, and as many
    as make 300 steps.
source_epochs : int or "auto", default="auto"
    How many of them, at first, see the source alone. "auto" is a third, and three quarters
    for methods that learn from no labels afterwards ("adda", "shot").
batch_size : int or "auto", default="auto"
    Mini-batch size: samples of all sources, and as many of all targets. "auto" is all samples
    of a table up to 1024 samples, else 32.
learning_rate : float or "auto", default="auto"
    Peak learning rate of AdamW. "auto" is 0.01 where a mini-batch is all samples (0.003 for
    LoRA), 0.0001 where weights of a pretrained backbone are fine-tuned, and 0.001 else, but at
    most 0.001 where a second network learns against the first. "adda" adapts at 0.01 of it,
    "shot" at 0.1.
schedule : {"cosine", "constant"}, default="cosine"
    Learning-rate schedule of each of the two parts of the training: down to 0, or constant.
warmup : float, default=0.1
    Share of the epochs on the source alone in which the learning rate rises to its peak.
early_stopping : bool, default=False
    Whether to hold out samples of the source, stop training on the source alone when their loss
    no longer falls, and keep the weights of the best epoch. The epochs that adapt are never
    cut short, as no labels of the target say when to stop; the loss of the samples held out is in
    ``history_`` there, too.
validation_fraction : float, default=0.1
    Share of the samples of the source that are held out, of each class alike.
callbacks : list of keras.callbacks.Callback, default=None
    Called while the network is trained, as Keras does, on the source alone first and then in the
    epochs that adapt: each is a training of its own, whose epochs are counted from 0. The objects
    themselves are used, as in `TransferClassifier`.
batch_norm : {"auto", "inference", "train"}, default="auto"
    Whether batch normalizations of fine-tuned layers use the statistics of mini-batches, in
    which both domains are mixed. "auto" is "inference" on a pretrained backbone and "train" on
    an untrained one.
"""
)


def _method_text(default: str, known: list[str], more: str) -> dict[str, str]:
    return entries(
        f'method : str or callable, default="{default}"\n'
        f"    How the domains are aligned, after the papers under References{more}:\n"
        f"    {names(known)};\n"
        '    "source_only" does not align them. A function of two `skltransfer.adaptation.Side`, of the\n'
        "    source and the target, is a distance of your own; it gives a tensor of shape ().\n"
    )


AUTO_TEXT = f"""
    "auto" tries {names(CANDIDATES[:4])},
    {names(CANDIDATES[4:])} on 0.8 of the source, as far as the network
    allows, chooses one without labels of the target, and fits it on all samples: about nine fits. The score of a
    candidate is the mean of two circular validations, on the features of the network that saw the source alone and
    on its own; those that look collapsed are left out. It is "deepjdot_mcc" that is taken unless another one is
    ahead by more than 0.1, and "source_only" where all others are left out or no difference of the domains
    is seen. Of two classes, it is "mcc" where their shares in the target cannot be estimated, and would become
    those of the source by the choice, but hardly by "mcc". ``selection_`` has what was found. Where classes
    are also more or less frequent in the target, it may still be worse than the source alone (by up to 10 points
    where two classes were three to one), which is warned of."""
"""What the classifier has more: methods need classes to be compared."""

CLASSIFIER_TEXTS = ADAPTATION_TEXTS | _method_text("auto", list(METHODS), "")
CLASSIFIER_TEXTS["method"] += AUTO_TEXT
REGRESSOR_TEXTS = ADAPTATION_TEXTS | _method_text(
    "coral", [name for name, method in METHODS.items() if not method.classes], " of `DomainAdaptationClassifier`"
)
