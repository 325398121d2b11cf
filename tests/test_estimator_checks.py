"""Every check of scikit-learn, for both estimators; nothing is expected to fail."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skltransfer import BackboneTransformer, TransferClassifier


@parametrize_with_checks(
    [
        TransferClassifier(),
        TransferClassifier(trainable="head"),
        BackboneTransformer(),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
