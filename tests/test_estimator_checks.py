"""Every check of scikit-learn, for every estimator and way of training; nothing is expected to fail."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skltransfer import BackboneTransformer, GradualUnfreezing, MLPHead, TransferClassifier, TransferRegressor


@parametrize_with_checks(
    [
        TransferClassifier(),
        TransferClassifier(trainable="head"),
        TransferClassifier(trainable="lora"),
        TransferClassifier(trainable=1, head=MLPHead((16,))),
        TransferClassifier(trainable=GradualUnfreezing(every=10)),
        TransferRegressor(),
        TransferRegressor(trainable="head"),
        TransferRegressor(trainable="lora"),
        BackboneTransformer(),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
