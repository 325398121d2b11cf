"""Every check of scikit-learn, for every estimator and way of training; nothing is expected to fail."""

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
)

WAYS = ["head", "lora", 1, GradualUnfreezing(every=10)]


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
        AutoencoderTransformer(epochs=100),
        AutoencoderTransformer(loss="mae", hidden=(), epochs=100),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
