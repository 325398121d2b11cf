"""What docstrings of estimators say of their parameters."""

import inspect
import itertools
import re

import pytest

from skltransfer import (
    AutoencoderTransformer,
    BackboneTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
    TransferClassifier,
    TransferRegressor,
)
from skltransfer._engine.augmentation import AUGMENTATIONS
from skltransfer._engine.schedules import SCHEDULES
from skltransfer._estimators.documentation import documented
from skltransfer._inputs.recognition import SAMPLE_KINDS
from skltransfer.adaptation._methods import METHODS
from skltransfer.adaptation._ramp import RAMPS
from skltransfer.autoencoder._fitting import CORRUPTIONS
from skltransfer.autoencoder._losses import RECONSTRUCTION_LOSSES

ESTIMATORS = [
    TransferClassifier,
    TransferRegressor,
    BackboneTransformer,
    AutoencoderTransformer,
    DomainAdaptationClassifier,
    DomainAdaptationRegressor,
]


def documented_parameters(estimator):
    section = inspect.getdoc(estimator).split("Parameters\n----------\n")[1].split("\n\n")[0]
    return re.findall(r"^(\w+) : ", section, flags=re.MULTILINE)


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(ESTIMATORS, 2)])
def test_shared_parameters_are_in_one_order(one, other):
    orders = [list(inspect.signature(estimator).parameters) for estimator in (one, other)]
    shared = set(orders[0]) & set(orders[1])
    assert len(shared) >= 6
    first, second = ([name for name in order if name in shared] for order in orders)
    assert first == second


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_docstring_has_the_parameters_of_the_signature_in_order(estimator):
    assert documented_parameters(estimator) == list(inspect.signature(estimator).parameters)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nothing_that_is_not_settable_looks_like_a_parameter(estimator):
    unfitted = estimator()
    seen = {name for name in dir(unfitted) if not name.startswith("_") and hasattr(unfitted, name)}
    assert {name for name in seen if not callable(getattr(unfitted, name))} == set(unfitted.get_params(deep=False))


def test_adaptation_estimators_have_no_checkpoint():
    with pytest.raises(AttributeError, match="checkpoint"):
        _ = DomainAdaptationClassifier().checkpoint


def entry(estimator, name):
    """The text of a parameter in the docstring of an estimator."""
    return re.search(rf"^{name} : .*\n(?:    .*\n)+", inspect.getdoc(estimator), flags=re.MULTILINE).group()


@pytest.mark.parametrize(
    ("estimator", "parameter", "known"),
    [
        (TransferClassifier, "augmentation", AUGMENTATIONS),
        (TransferRegressor, "augmentation", AUGMENTATIONS),
        (AutoencoderTransformer, "augmentation", AUGMENTATIONS),
        (AutoencoderTransformer, "corruption", [*CORRUPTIONS, *AUGMENTATIONS]),
        (AutoencoderTransformer, "loss", RECONSTRUCTION_LOSSES),
        (DomainAdaptationClassifier, "method", METHODS),
        (DomainAdaptationClassifier, "ramp", RAMPS),
        (DomainAdaptationRegressor, "method", [name for name, method in METHODS.items() if not method.classes]),
        (TransferClassifier, "schedule", SCHEDULES),
        (BackboneTransformer, "sample_kind", SAMPLE_KINDS),
    ],
)
def test_docstrings_name_the_whole_table(estimator, parameter, known):
    assert set(re.findall(r'"(\w+)"', entry(estimator, parameter))) >= set(known)


def test_methods_are_cited_in_the_docstring():
    references = inspect.getdoc(DomainAdaptationClassifier).split("References\n----------\n")[1].split("\n\n")[0]
    for name in METHODS.keys() - {"source_only"}:
        assert re.search(rf"\b{name}\b[\w, ]* : ", references), name


def test_a_name_without_a_text_is_refused():
    with pytest.raises(ValueError, match="docstring of Odd asks for the text of 'odd'"):

        @documented()
        class Odd:
            """Odd.

            Parameters
            ----------
            {odd}
            """


def test_class_without_docstring_can_be_documented():
    @documented()
    class Bare:
        pass

    assert Bare.__doc__ is None
