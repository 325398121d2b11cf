"""Every check of scikit-learn, for every estimator and way of training.

Of methods of domain adaptation, checks tell apart only those that adapt in `predict`: without a target all others are
"source_only", which `test_adaptation.test_plain_fit_is_source_only` holds for each of them.
"""

from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    GradualUnfreezing,
    MLPHead,
    TransferClassifier,
    TransferRegressor,
    register_backbone,
)
from skltransfer.adaptation._methods import METHODS
from skltransfer.compression import DistillationClassifier, DistillationRegressor

WAYS = ["head", "lora", 1, GradualUnfreezing(every=10)]
QUICK = {"epochs": 10, "learning_rate": 0.1, "batch_norm": "inference"}
TOGETHER = "tent adapts to the samples that are predicted together"


@register_backbone("normalized")  # a name, as the address of a function would be in the names of tests
def normalized(input_shape):
    """Build a network with a batch normalization, whose statistics `adabn` and `tent` take anew."""
    import keras

    layers, double = keras.layers, {"dtype": "float64"}
    parts = layers.Dense(16, **double), layers.BatchNormalization(**double), layers.ReLU(**double)
    return keras.Sequential([layers.Input(input_shape, **double), *parts])


def expected_failures(estimator):
    """Only a method that adapts in `predict` may depend on the other samples there."""
    method = METHODS.get(getattr(estimator, "method", None))
    return {"check_methods_subset_invariance": TOGETHER} if method is not None and method.predicts else {}


@parametrize_with_checks(
    [
        TransferClassifier(),
        TransferRegressor(),
        *(
            estimator(trainable=way, epochs=100)
            for estimator in (TransferClassifier, TransferRegressor)
            for way in WAYS
        ),
        TransferClassifier(head=MLPHead((16,)), epochs=100, label_smoothing=0.1),
        BackboneTransformer(),
        DomainAdaptationClassifier(epochs=100),
        DomainAdaptationRegressor(epochs=100),
        DomainAdaptationClassifier("normalized", method="tent", **QUICK),
        AutoencoderTransformer(epochs=100),
        AutoencoderTransformer(loss="mae", hidden=(), epochs=100),
        DistillationClassifier(LogisticRegression(), TransferClassifier(epochs=100)),
        DistillationRegressor(Ridge(), TransferRegressor(epochs=100)),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
