import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("SCIPY_ARRAY_API", "1")
if "PYTEST_XDIST_WORKER" in os.environ:  # processes share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from skltransfer import TransferClassifier, load_backbone
from skltransfer._features import cache as feature_cache
from skltransfer.datasets import load_fashion_sample

settings.register_profile("tests", deadline=None, max_examples=15, derandomize=True)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def sample():
    return load_fashion_sample()


@pytest.fixture(scope="session")
def images(sample):
    """Forty real images of four kinds of clothes, as (n, 28, 28) bytes."""
    return sample.images[_four_kinds(sample)]


@pytest.fixture(scope="session")
def flat(images):
    return images.reshape(len(images), -1)


@pytest.fixture(scope="session")
def labels(sample):
    return sample.target[_four_kinds(sample)]


@pytest.fixture
def quick():
    """A classifier that sees images small, so that tests are fast."""
    return TransferClassifier(input_shape=(28, 28), image_size=32)


@pytest.fixture(scope="session")
def fetched():
    """Call a function that fetches real data; offline, skip the test, but fail where CI is set."""

    def fetch(get):
        try:
            return get()
        except RuntimeError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"needs data that could not be fetched ({error})")

    return fetch


@pytest.fixture(scope="session")
def installed():
    """Load a network whose weights are a package; without it, skip the test, but fail where CI is set."""

    def load(name):
        try:
            return load_backbone(name)
        except OSError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"needs the package of its weights, see .ci/run ({error})")

    return load


@pytest.fixture(scope="session")
def minilm(installed):
    """The encoder of sentences."""
    return installed("minilm_l6")


@pytest.fixture
def empty_store():
    feature_cache.process_store.clear()
    yield feature_cache.process_store
    feature_cache.process_store.clear()


@pytest.fixture(scope="session")
def shifted():
    """Two classes along the first column; in the target, the second is shifted and carries noise."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(240, 4)), np.arange(240) % 2
    X[:, 0] += 4 * y
    X[120:] += [1.5, 3, 0, 0]
    return X, y, np.repeat([1, -1], 120)


@pytest.fixture(scope="session")
def two_domains_of_images(images, labels):
    """Images, of which the second half is inverted, as a target without labels."""
    X = images[:40].copy()
    X[20:] = 255 - X[20:]
    return X, labels[:40], np.repeat([1, -1], 20)


def _four_kinds(sample):
    kinds = sorted(set(sample.target))[:4]
    return np.flatnonzero(np.isin(sample.target, kinds))
