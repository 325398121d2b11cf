"""The page on a fitted estimator: what it says for each kind of estimator, and how a browser shows it."""

import itertools
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.signal import chirp
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, mean_absolute_error, r2_score
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skltransfer import (
    BackboneTransformer,
    DomainAdaptationClassifier,
    MLPHead,
    TransferClassifier,
    TransferRegressor,
    report,
)
from skltransfer.compression import DistillationClassifier
from skltransfer.reporting._answers import Task
from skltransfer.reporting._figures import FEW, ink, luminance, shades
from skltransfer.reporting._scores import Reliability, scores_of, wilson
from skltransfer.transferability import learning_curve_forecast

HOSTILE = "<script>alert('$x^2$')</script> & \"北京\""
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """Elements of a page with their attributes, and its text; elements have to be closed in order."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data + "\n"

    def all(self, *tags):
        return [attrs for tag, attrs in self.elements if tag in tags]


def pictures(images, labels, folder):
    y = np.where(labels == labels[0], HOSTILE, labels.astype(str))
    return TransferClassifier(image_size=64, C=1).fit(images[:24], y[:24]), images, np.roll(y, 3)


def files(images, labels, folder):
    paths = [folder / f"{number} <b>&'x'.png" for number in range(12)]
    for number, path in enumerate(paths):
        Image.fromarray(images[number]).resize((300 + number, 150)).save(path)
    y = (labels[:12] == labels[0]).astype(int)
    clf = make_pipeline(BackboneTransformer(image_size=32), LogisticRegression()).fit(paths, y)
    return clf, paths, 1 - y


def texts(images, labels, folder):
    good, bad = (["a <b>lovely</b> film", "so good & funny", "I loved it"], ["so bad", "an awful, dull film", "a pain"])
    y = ["good"] * 6 + ["bad"] * 6
    clf = TransferClassifier("small_transformer", epochs=10, random_state=0).fit(good * 2 + bad * 2, y)
    return clf, good + bad, ["bad"] * 3 + ["good"] * 3


def sounds(images, labels, folder):
    times, y = np.arange(3200) / 8000, np.arange(8) % 2
    X = [chirp(times, *((300, 0.4, 2000 + 50 * n) if n % 2 else (2000 + 50 * n, 0.4, 300))) for n in range(8)]
    return TransferClassifier(image_size=64, sample_rate=8000, C=1).fit(X, y), X, 1 - y


def iris(images, labels, folder):
    X, y = load_iris(return_X_y=True)
    return TransferClassifier(head=MLPHead((8,)), epochs=3, random_state=0).fit(X, y), X, y


def scaled(images, labels, folder):
    X, y = load_iris(return_X_y=True)
    return make_pipeline(StandardScaler(), TransferClassifier(C=1)).fit(X, y), X, y


def values(images, labels, folder):
    y = images.mean(axis=(1, 2)) + 10
    return TransferRegressor(image_size=32, random_state=0).fit(images[::2], y[::2]), images, y


def two_values(images, labels, folder):
    X, y = load_diabetes(return_X_y=True)
    Y = np.column_stack([y, -y])[:80]
    Y[0, 1] = np.nan
    return TransferRegressor(random_state=0).fit(X[:80], Y), X[:80], Y


def tasks(images, labels, folder):
    Y = np.column_stack([labels.astype(object), np.where(images.mean(axis=(1, 2)) > 70, "bright", "dark")])
    Y[:3, 1] = None
    return TransferClassifier(image_size=32, C=1).fit(images, Y), images, Y


def has(images, labels, folder):
    Y = np.column_stack([labels == labels[0], images.mean(axis=(1, 2)) > 70]).astype(int)
    return TransferClassifier(image_size=32, C=1).fit(images, Y), images, Y


def adapted(images, labels, folder):
    random = np.random.default_rng(0)
    X, y, domain = random.normal(size=(80, 2)), np.arange(80) % 2, np.repeat([1, -1], 40)
    X[:, 0] += 4 * y
    X[40:] += [1, 3]
    clf = DomainAdaptationClassifier(method="coral", epochs=3, random_state=0).fit(X, y, sample_domain=domain)
    return clf, X[40:], y[40:]


def distilled(images, labels, folder):
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    student = TransferClassifier(epochs=3, random_state=0)
    return DistillationClassifier(FrozenEstimator(forest), student).fit(X, y), X, y


KINDS = [pictures, files, texts, sounds, iris, scaled, values, two_values, tasks, has, adapted, distilled]
LOOKED_AT = [pictures, texts, sounds, two_values, adapted]


@pytest.fixture(scope="module")
def cases(images, labels, tmp_path_factory):
    """Give a fitted estimator, samples and answers of a kind, and the path of its report; each is made once."""
    made = {}

    def case(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind.__name__)
            found = kind(images, labels, folder)
            made[kind] = (*found, report(*found, folder / "report.html"))
        return made[kind]

    return case


@pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_whole_and_loads_nothing(cases, kind):
    page = Page(cases(kind)[3])
    assert page.all("html") == [{"lang": "en"}]
    for _, attrs in page.elements:
        for name in ("src", "href", "xlink:href", "data", "action", "srcset", "poster"):
            assert name not in attrs or re.match(r"data:|#", attrs[name])
    assert not page.all("script", "iframe", "object", "form")
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", page.source))
    assert "@import" not in page.source
    assert "http" not in page.source.replace("http-equiv", "")
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="|url\()#([^")]+)', page.source)
    assert set(used) <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(attrs.get("alt", "").endswith(".") for attrs in page.all("img"))
    assert all(attrs["role"] == "img" and attrs["aria-label"].endswith(".") for attrs in page.all("svg"))
    assert "What was trained" in page.text
    assert "How to repeat it" in page.text
    assert re.search(r"keras \d+\.", page.text)


def shown(page, name):
    """The value of a score, and the ends of its interval."""
    found = re.search(rf"^{re.escape(name)}\n([\d.-]+)\n([\d.-]+) to ([\d.-]+) \(95 %", page.text, re.MULTILINE)
    return [float(value) for value in found.groups()]


@pytest.mark.parametrize("kind", [pictures, files, texts, sounds, iris, scaled, adapted, distilled])
def test_scores_of_classes(cases, kind):
    clf, X, y, path = cases(kind)
    page, predicted = Page(path), clf.predict(X)
    for name, score in [
        ("Accuracy", accuracy_score(y, predicted)),
        ("Balanced accuracy", balanced_accuracy_score(y, predicted)),
        ("Log loss", log_loss(y, clf.predict_proba(X))),
    ]:
        value, low, high = shown(page, name)
        assert value == pytest.approx(score, abs=1e-3, rel=1e-3)
        assert low <= value <= high
    found = re.search(r"Confusion matrix of (\d+) classes: (\d+) of (\d+) samples are right", page.source)
    assert [int(part) for part in found.groups()] == [len(clf.classes_), (predicted == y).sum(), len(y)]


def test_scores_of_values(cases):
    reg, X, y, path = cases(values)
    page = Page(path)
    assert shown(page, "R²")[0] == pytest.approx(r2_score(y, reg.predict(X)), abs=1e-3)
    assert shown(page, "Mean absolute error")[0] == pytest.approx(mean_absolute_error(y, reg.predict(X)), rel=1e-3)
    worst = np.argmax(np.abs(reg.predict(X) - y))
    assert re.search(r"sample (\d+)", page.text.split("Largest errors")[1]).group(1) == str(worst)


def test_several_tasks_have_a_section_each(cases):
    clf, X, Y, path = cases(tasks)
    page = Page(path)
    first, second = page.text.split("Task 0\n")[1].split("Task 1\n")[:2]
    assert "On 40 samples" in first
    assert "On 37 samples" in second
    right = Y[3:, 1] == clf.predict(X)[3:, 1]
    assert f"Confusion matrix of 2 classes: {right.sum()} of 37 samples are right" in page.source
    reg = Page(cases(two_values)[3])
    assert "On 79 samples" in reg.text.split("Task 1\n")[1]
    labels = Page(cases(has)[3])
    assert labels.source.count("Calibration curve") == 2


def test_surest_mistakes_come_first(cases):
    clf, X, y, path = cases(pictures)
    chances, predicted = clf.predict_proba(X), clf.predict(X)
    wrong = np.flatnonzero(predicted != y)
    order = wrong[np.argsort(-chances[wrong].max(axis=1), kind="stable")]
    found = re.findall(r"^sample (\d+)$", Page(path).text, re.MULTILINE)
    assert [int(number) for number in found] == order[:8].tolist()
    sides = [attrs for attrs in Page(path).all("img")]
    assert len(sides) == 16  # beside each picture, its heat map
    assert sides[1]["alt"].startswith("Its heat map: the answer rests most on its ")


def test_strings_of_users_are_text(cases):
    page = Page(cases(pictures)[3])
    assert HOSTILE in page.text
    assert "<script" not in page.source
    page = Page(cases(files)[3])
    assert re.search(r"sample \d+, \d+ <b>&'x'\.png", page.text)
    assert not page.all("b")


def test_words_are_shaded_and_sounds_can_be_played(cases):
    page = Page(cases(texts)[3])
    shades = [float(attrs["style"].removeprefix("--share:")) for attrs in page.all("mark")]
    assert max(shades) == 0.5
    assert min(shades) < 0.5
    assert "<b>" not in page.source
    page = Page(cases(sounds)[3])
    players = page.all("audio")
    assert players
    assert all(attrs["src"].startswith("data:audio/wav;base64,UklGR") for attrs in players)
    assert sum("Spectrogram predicted as" in attrs["alt"] for attrs in page.all("img")) == len(players)


@pytest.mark.parametrize(
    ("kind", "n_samples"), [(pictures, 24), (files, 12), (texts, 12), (iris, 150), (two_values, 80), (adapted, 80)]
)
def test_how_many_samples_were_fitted_to(cases, kind, n_samples):
    text = " ".join(Page(cases(kind)[3]).text.split())
    assert f"Fitted to {n_samples} samples Trained" in text


def test_training_selection_and_shift(cases):
    assert "Training curve over 3 epochs" in Page(cases(iris)[3]).source
    page = Page(cases(adapted)[3])
    assert "Domain shift" in page.text
    assert "median distance" in page.text
    page = Page(cases(pictures)[3])
    tried = cases(pictures)[0].selection_
    assert f"{len(tried['candidate'])} candidates were tried" in page.text
    assert {"class": "chosen"} in page.all("tr")
    assert "DistillationClassifier (student: TransferClassifier)" in Page(cases(distilled)[3]).text
    assert "StandardScaler → TransferClassifier" in Page(cases(scaled)[3]).text


def test_parameters(cases, tmp_path):
    clf, X, y, _ = cases(iris)
    curve = learning_curve_forecast(LogisticRegression(C=0.1), X, y, random_state=0)
    path = report(clf, X, y, tmp_path / "one.html", title="<i>Iris</i>", n_mistakes=0, learning_curve=curve)
    page = Page(path)
    assert "<i>Iris</i>" in page.text
    assert "Learning curve: scores for" in page.source
    assert "None were asked for." in page.text
    assert [other.name for other in tmp_path.iterdir()] == ["one.html"]


def test_many_classes_scroll_in_a_box_of_their_own(tmp_path):
    random = np.random.default_rng(0)
    y = np.arange(240) % 40
    X = np.eye(40)[y] + random.normal(scale=0.4, size=(240, 40))
    names = np.array([f"class {number} with a name" for number in range(40)])[y]
    page = Page(report(TransferClassifier(C=1).fit(X, names), X, names, tmp_path / "many.html"))
    assert len(names[:FEW]) < 40
    assert {"class": "wide", "tabindex": "0", "role": "region", "aria-label": "Confusion matrix"} in page.all("div")
    for number in range(40):
        assert page.source.count(f">class {number} with a name</text>") == 2


def test_confusions_of_very_many_classes_are_listed(tmp_path):
    y = np.arange(260) % 65
    X = np.eye(65)[y]
    clf = TransferClassifier(features="last", C=1).fit(X, y)
    y[:3] = 64  # 0, 1 and 2 are taken for others
    page = Page(report(clf, X, y, tmp_path / "very_many.html"))
    listed = page.text.split("Most frequent confusions")[1].split("Each class")[0]
    assert re.findall(r"^64\n(\d+)\n1\n14%$", listed, re.MULTILINE) == ["0", "1", "2"]
    assert "Confusion matrix" not in page.source


def test_frames_and_classifiers_that_do_not_predict_the_most_probable_class(tmp_path):
    X, y = load_iris(return_X_y=True, as_frame=True)
    clf = TransferClassifier(C=1).fit(X, y)
    assert shown(Page(report(clf, X, y, tmp_path / "frame.html")), "Accuracy")[0] == pytest.approx(
        clf.score(X, y), abs=1e-4
    )
    odd = make_pipeline(BackboneTransformer(), FixedThresholdClassifier(LogisticRegression(), threshold=0.99))
    odd.fit(X[:100], y[:100])
    page = Page(report(odd, X[:100], y[:100], tmp_path / "odd.html"))
    assert shown(page, "Accuracy")[0] == pytest.approx(odd.score(X[:100], y[:100]), abs=1e-4)


def test_numbers_in_the_matrix_are_readable():
    counts = np.array([[count, 100 - count] for count in range(101)])
    for shade in shades(counts).reshape(-1, 3):
        color = ink(shade)
        light = sorted([luminance(shade), luminance(np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255)])
        assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5


def test_wilson_and_calibration_by_hand():
    low, high = wilson(np.array([0, 10]), np.array([10, 10]))
    np.testing.assert_allclose([low[0], high[1]], [0, 1], atol=1e-12)
    np.testing.assert_allclose(high[0], 1 - low[1])
    np.testing.assert_allclose(high[0], 0.2775, atol=1e-4)
    chances = np.array([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.45, 0.55]])
    task = Task("", np.arange(4), np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), ["a", "b"], chances)
    found = Reliability.of(task)
    assert found.counts.tolist() == [1, 1, 2]
    assert found.error == pytest.approx((2 * 0.45 + 0.35 + 0.45) / 4)


def test_balanced_accuracy_of_all_right_is_not_certain():
    right = np.repeat(np.arange(3), 5)
    score = scores_of(Task("", np.arange(15), right, right, ["a", "b", "c"]))[1]
    assert (score.value, score.high) == (1, 1)
    low = wilson(np.array([5]), np.array([5]))[0][0]
    assert score.low == pytest.approx(1 - (1 - low) / np.sqrt(3))


def test_the_bootstrap_covers_the_mean_as_often_as_it_says():
    random, hits = np.random.default_rng(0), 0
    for _ in range(30):
        right = random.normal(size=60)
        task = Task("", np.arange(60), right, right + random.laplace(size=60))
        score = scores_of(task)[1]
        hits += score.low <= 1 <= score.high  # the mean of |Laplace| is 1
    assert hits >= 25


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda a: a | {"estimator": LogisticRegression()}, TypeError, "estimator: expected a fitted classifier or"),
        (
            lambda a: a | {"estimator": GridSearchCV(TransferClassifier(), {})},
            TypeError,
            r"pass search\.best_estimator_",
        ),
        (lambda a: a | {"estimator": BackboneTransformer()}, TypeError, "add a classifier after it"),
        (lambda a: a | {"estimator": TransferClassifier()}, NotFittedError, "TransferClassifier"),
        (lambda a: a | {"y_test": a["y_test"][:-1]}, ValueError, "y_test: expected 150 entries"),
        (lambda a: a | {"y_test": a["y_test"] + 7}, ValueError, r"Sample 0 has 7; leave"),
        (lambda a: a | {"y_test": np.eye(3)[a["y_test"]]}, ValueError, r"expected labels of 1 task"),
        (lambda a: a | {"y_test": np.zeros((150, 21))}, ValueError, "at most 20 tasks"),
        (lambda a: a | {"X_test": a["X_test"][:1], "y_test": [0]}, ValueError, "expected at least 2 samples"),
        (lambda a: a | {"y_test": [0] + [None] * 149}, ValueError, "Input y contains NaN or None in 149 of 150"),
        (lambda a: a | {"n_mistakes": -1}, ValueError, "n_mistakes: expected a whole number from 0 on. Got -1"),
        (lambda a: a | {"title": 3}, TypeError, "title: expected a string"),
        (lambda a: a | {"learning_curve": 3}, TypeError, "learning_curve: expected what"),
        (
            lambda a: a | {"path": a["path"].parent / "no" / "a.html"},
            FileNotFoundError,
            "expected a folder that exists",
        ),
        (lambda a: a | {"path": a["path"].parent}, IsADirectoryError, "is a folder"),
    ],
)
def test_bad_calls_are_refused_before_anything_is_predicted(cases, tmp_path, monkeypatch, change, error, match):
    clf, X, y, _ = cases(iris)

    def predicted(*_):
        pytest.fail("it predicted")

    monkeypatch.setattr(TransferClassifier, "predict_proba", predicted)
    call = change({"estimator": clf, "X_test": X, "y_test": y, "path": tmp_path / "report.html"})
    with pytest.raises(error, match=match):
        report(**call)
    assert list(tmp_path.iterdir()) == []


def test_notebooks_say_what_was_trained(cases):
    clf = cases(pictures)[0]
    assert "efficientnet_lite0: frozen network, fitted head; 3.41 M weights and" in clf._repr_html_()
    assert "frozen network" in cases(files)[0]._repr_html_()  # a pipeline
    assert "frozen" not in TransferClassifier()._repr_html_()
    tuned = TransferClassifier("mlp", trainable="all", epochs=1, random_state=0).fit(*load_iris(return_X_y=True))
    assert re.search(r"mlp: all stages fine-tuned, and the head; .* trained", tuned._repr_html_())


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one, skip the test."""
    from selenium import webdriver

    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(found):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(found[1]))
    yield driver
    driver.quit()


CONTRASTS = (Path(__file__).parent / "contrasts.js").read_text()


@pytest.mark.filterwarnings("ignore::skltransfer.adaptation.AdaptationWarning")
@pytest.mark.parametrize("kind", LOOKED_AT)
@pytest.mark.parametrize("width", [375, 1280])
def test_a_browser_shows_it_well(cases, browser, kind, width):
    path = cases(kind)[3]
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get(path.as_uri())
        browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
        wide = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1] == width
        found = browser.execute_script(CONTRASTS)
        assert found["texts"] > 50
        assert found["poor"] == []
        assert found["overflowing"] == []
        assert found["broken"] == []
        assert found["unnamed"] == []
        assert browser.get_log("browser") == []
