import numpy as np
import pytest

from skltransfer._targets.domains import masked, masked_like, read_domains


def test_codes_tell_source_from_target():
    domains = read_domains(["a", "b", "a", "b"], [1, 3, -1, -2], 4)
    assert domains.codes.tolist() == [1, 3, -1, -2]
    assert domains.source.tolist() == [True, True, False, False]
    assert domains.target.tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("y", "hidden"),
    [
        ([0, 1, -1], [0, 0, 1]),
        ([-1, 1, 1], [0, 0, 0]),
        (np.array([0, 1, 255], dtype=np.uint8), [0, 0, 0]),
        ([0.5, np.nan], [0, 1]),
        (["a", None, "b"], [0, 1, 0]),
        (np.array(["a", np.nan], dtype=object), [0, 1]),
        (["a", "b"], [0, 0]),
        ([True, False], [0, 0]),
    ],
)
def test_masked_labels_are_the_target(y, hidden):
    assert masked(y).tolist() == [bool(value) for value in hidden]
    assert read_domains(y, None, len(y), needs=()).codes.tolist() == [-1 if value else 1 for value in hidden]


def test_missing_values_of_frames_are_masks():
    pd = pytest.importorskip("pandas")
    assert masked(pd.Series(["a", None, "b"], dtype="string")).tolist() == [False, True, False]
    assert masked(pd.Series([1, None, 2], dtype="Int64")).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "labels", [np.array([3, 4]), np.array([0.5, 1.5]), np.array(["a", "b"]), np.array([True, False])]
)
def test_masks_go_with_labels_and_are_recognised(labels):
    joined = np.concatenate([labels, masked_like(labels, 2)])
    assert masked(joined).tolist() == [False, False, True, True]


def test_labels_of_target_samples_are_not_read():
    assert read_domains([1, 2, None], [1, 1, -1], 3).target.sum() == 1
    assert read_domains([-1, 0, 1], [1, 1, -1], 3).source.sum() == 2


@pytest.mark.parametrize(
    ("sample_domain", "message"),
    [
        ([1, -1], r"sample_domain: expected 3 values, one for each sample of X. Got an array of \(2,\)"),
        ([[1], [1], [-1]], r"sample_domain: expected 3 values.*Got an array of \(3, 1\)"),
        ([1, 0, -1], "sample_domain: expected integers.*Got 0 in 1 of 3 samples; number domains from 1"),
        ([1, 1.5, -1], "sample_domain: expected integers.*Got 1.5"),
        ([1, np.nan, -1], "sample_domain: expected integers.*Got nan"),
        (["s", "s", "t"], "sample_domain: expected integers.*Got values such as .*'s'"),
        ([True, True, False], "sample_domain: expected integers.*Got True"),
        ([1, 1, 2], "sample_domain: expected some negative values, of target samples. Got source samples only"),
        ([-1, -1, -2], "sample_domain: expected some positive values, of source samples.*Got target samples only"),
    ],
)
def test_bad_domains(sample_domain, message):
    with pytest.raises(ValueError, match=message):
        read_domains([0, 1, 0], sample_domain, 3)


def test_bad_labels():
    with pytest.raises(ValueError, match="y: expected some masked labels, of target samples"):
        read_domains([0, 1, 1], None, 3)
    with pytest.raises(ValueError, match="y: expected some labels, of source samples"):
        read_domains([None, None], None, 2)
    with pytest.raises(ValueError, match=r"y: expected a label in each source sample.*Got None or NaN in 1 of them"):
        read_domains(["a", None, "b"], [1, 1, -1], 3)
    with pytest.raises(ValueError, match="y: expected 3 values"):
        read_domains([0, 1], [1, 1, -1], 3)
