"""Domain adaptation of texts: words beside the encoder, below a hidden layer."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skltransfer import DomainAdaptationClassifier, DomainAdaptationRegressor, MLPHead
from skltransfer._engine.pooling import INPUT
from skltransfer._heads.head import Head
from skltransfer._inputs.samples import ArraySamples
from skltransfer._inputs.texts import learn_tokenization
from skltransfer.adaptation._blocks import BlockScale, ScaledSamples
from skltransfer.backbones._backbone import building
from skltransfer.backbones._conversion import from_keras
from skltransfer.backbones._text import text_encoder

pytestmark = pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")  # fits are short here

FILLERS = [["lens", "film", "focus", "tripod"], ["plot", "actor", "scene", "ending"]]
LABELS = np.arange(80) % 2
DOMAIN = np.repeat([1, -1], 40)
FAST = {"head": MLPHead((8,)), "epochs": 30, "batch_size": 40, "learning_rate": 0.01, "random_state": 0}


@pytest.fixture(scope="module")
def texts():
    """Reviews of cameras, and of films without labels; one word in four says whether they are good."""
    random = np.random.default_rng(0)
    found = []
    for label, domain in zip(LABELS, DOMAIN, strict=True):
        words = [*random.choice(FILLERS[int(domain < 0)], 3), ("poor", "great")[label]]
        found.append(" ".join(random.permutation(words)))
    return found


@pytest.fixture(scope="module")
def encoder(texts):
    """A tiny network that never learned anything."""
    words = learn_tokenization(texts)
    with building(0):
        sizes = {"longest": words.longest, "width": 8, "depth": 3, "n_heads": 2, "inner": 8, "epsilon": 1e-6}
        network = text_encoder(vocabulary=words.n_tokens, name="tiny", **sizes)
        return from_keras(network, tokenization=words, padded=True)


@pytest.fixture(scope="module")
def adapted(texts, encoder):
    return DomainAdaptationClassifier(encoder, method="mcc", **FAST).fit(texts, LABELS, sample_domain=DOMAIN)


def test_words_of_the_source_count_in_the_target(adapted, texts, encoder):
    alone = DomainAdaptationClassifier(encoder, method="mcc", features="last", **FAST)
    alone.fit(texts, LABELS, sample_domain=DOMAIN)
    target = [text for text, code in zip(texts, DOMAIN, strict=True) if code < 0]
    scores = [clf.score(target, LABELS[DOMAIN < 0]) for clf in (adapted, alone)]
    assert scores[0] > 0.9
    assert scores[0] > scores[1] + 0.1
    assert alone.model_.extraction.beside == ()
    assert adapted.model_.extraction.beside[-1].stage == INPUT
    assert adapted.transform(texts).shape == alone.transform(texts).shape == (80, 8)


def test_the_keras_model_has_the_words(adapted, texts):
    tokens = adapted.backbone_.tokenization.encode(texts)
    padded = np.zeros((len(tokens), max(map(len, tokens))), "int32")
    for place, own in zip(padded, tokens, strict=True):
        place[: len(own)] = own
    found = adapted.model_.to_keras().predict(padded, verbose=0)
    np.testing.assert_allclose(found, adapted.predict_proba(texts), atol=1e-5)


def test_labels_of_the_target_choose_nothing(adapted, texts, encoder):
    garbage = DomainAdaptationClassifier(encoder, method="mcc", **FAST)
    garbage.fit(texts, np.where(DOMAIN < 0, 77, LABELS), sample_domain=DOMAIN)
    np.testing.assert_array_equal(garbage.predict_proba(texts), adapted.predict_proba(texts))


def test_a_fitted_estimator_keeps_its_words_where_another_starts(adapted, texts):
    start, target = FrozenEstimator(adapted), [text for text, code in zip(texts, DOMAIN, strict=True) if code < 0]
    again = DomainAdaptationClassifier(start, method="shot", epochs=8, batch_size=40, random_state=0).fit(target)
    assert again.model_.extraction.beside == adapted.model_.extraction.beside
    assert again.score(target, LABELS[DOMAIN < 0]) > 0.9
    with pytest.raises(ValueError, match=r"that decides on 3 blocks beside it; fit it with features='last'"):
        DomainAdaptationClassifier(start, method="shot", trainable=1, epochs=8, random_state=0).fit(target)


@pytest.mark.parametrize(
    "options",
    [{"method": "standardize"}, {"method": "mcc", "head": "linear"}, {"method": "mmd", "trainable": 1}],
    ids=["solved", "linear", "fine-tuned"],
)
def test_elsewhere_the_last_stage_decides_alone(options, texts, encoder):
    clf = DomainAdaptationClassifier(encoder, **{"epochs": 3, "batch_size": 40, "random_state": 0, **options})
    clf.fit(texts, LABELS, sample_domain=DOMAIN)
    assert clf.model_.extraction.beside == ()


def test_regressors_see_words(texts, encoder):
    values = 3.0 * LABELS + 5
    fitted = DomainAdaptationRegressor(encoder, **FAST).fit(texts, values, sample_domain=DOMAIN)
    assert fitted.model_.extraction.beside[-1].stage == INPUT
    assert fitted.score(texts[:40], values[:40]) > 0.9


def test_a_scale_is_folded_into_the_first_layer():
    random = np.random.default_rng(0)
    features = random.normal(3, 2, (20, 5)).astype(np.float32)
    scale = BlockScale(features.mean(axis=0), np.array([1.0, 2.0, np.inf, 4.0, 0.5]))
    arrays = [random.normal(size=shape).astype(np.float32) for shape in ((4, 3), (3,), (3, 2), (2,))]
    scaled = ScaledSamples(ArraySamples(features), scale)
    assert scaled.layout(None) == ((4,), "float32")
    own = Head.from_arrays(arrays, 1, padded=False)(scaled.read(np.arange(20)))
    folded = Head.from_arrays(scale.folded(arrays), 1, padded=False)
    np.testing.assert_allclose(folded(features), own, rtol=1e-4, atol=1e-4)
    assert not folded.hidden[0][0][2].any()
    assert scaled.take(np.arange(20) < 3).digest(2) == scaled.digest(2) != scaled.digest(1)
