"""`DomainAdaptationClassifier`: labels of one domain, predictions in another."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import BackboneEstimator
from skltransfer._estimators.documentation import documented
from skltransfer._estimators.progress import FitMonitor
from skltransfer._estimators.reading import keeps_earlier_fit, read_new
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.reading import read_labels
from skltransfer._utils.types import Array
from skltransfer.adaptation._documentation import CLASSIFIER_TEXTS
from skltransfer.adaptation._methods import AUTO, METHODS
from skltransfer.adaptation._mixin import ADAPTATION_CONSTRAINTS, AdaptationMixin
from skltransfer.adaptation._source import read_source


@documented(CLASSIFIER_TEXTS)
class DomainAdaptationClassifier(ClassifierMixin, AdaptationMixin, BackboneEstimator):
    """Classify samples of a target domain, of which no labels are known, by a source domain with labels.

    The network is trained on the source first, and then on both domains at once, in
    mini-batches with as many samples of the source as of the target, so that what it makes of them
    becomes alike. The labels of target samples are never read.

    The methods "adabn", "shot" and "tent" need no source samples once the network is trained;
    "tent" adapts to the samples that are predicted, in `predict`: a prediction depends on which samples are
    predicted together, so predict many of the target at once, and not one after the other.
    ``trainable="head"`` makes any method a shallow one, on features that are computed once and cached.
    The methods "standardize", "subspace_alignment" and "linear_ot" move features of the source to where those of
    the target lie, and solve the last layer there: on frozen features with a linear head, nothing is trained.

    Parameters
    ----------
    backbone : str, path-like, Backbone, keras.Model, callable or FrozenEstimator, default="auto"
        Whatever `load_backbone` takes; "auto" as in `TransferClassifier`. A fitted
        `TransferClassifier` or `DomainAdaptationClassifier` in scikit-learn's
        ``FrozenEstimator`` gives its head and classes as well, to start from: methods that need
        no source samples then adapt it to target samples alone.
    {method}
    weight : float or "auto", default="auto"
        How much the method counts beside the loss of the source. "auto" is 0.3 for
        "cdan", "cdan_e" and "mcd", 0.01 for "mdd", 10 for "mmd", "jmmd" and "deepjdot", and
        1 for the others, times how much the domains differ before training: 0 where a classifier does
        not tell them apart, and 1 from where it is plainly better than chance. 0 is ``method="source_only"``.
    {ramp}
    {aligned}
    {input_shape}
    {pixel_range}
    {image_size}
    {sample_rate}
    {sample_kind}
    {memory}
    {trainable}
    {head}
    {features}
    {epochs}
    {source_epochs}
    {batch_size}
    {learning_rate}
    {schedule}
    {warmup}
    {layer_decay}
    {weight_decay}
    {batch_norm}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {tol}
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the source; each class of a dict has to be there. As in scikit-learn, a
        class that it does not name weighs 1, and nothing is learned from samples of one that weighs 0.
    label_shift : "auto" or None, default=None
        Whether to allow for other shares of classes in the target. "auto" estimates them before training,
        on features that no training has touched. Where they are identifiable and differ
        (`skltransfer.domain_shift.estimate_class_shares`), the logarithm of their ratio to the weights that
        classes had in training is added to decision values, so probabilities are those of the target's
        shares; elsewhere, as where samples of a class look different in the target, nothing changes.
        ``model_.class_shares`` has the estimate, or the reason why there is none. It is None by default, as no
        test without labels proves that classes look alike, and classes of another look are what most
        targets have.
    {callbacks}
    {verbose}
    {random_state}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels of the source, as they came, sorted.
    {model_}
    backbone_ : Backbone
        The adapted network, ready to start another estimator.
    adaptation_strength_ : float
        Share of its weight that the method had, from 0, where no difference of the domains is seen, to 1; see
        ``weight``.
    domain_score_ : float
        Proxy A-distance of the embeddings of source and target, by a linear classifier and
        cross-validation: from 0 where they are alike to 2 where they are apart; NaN if `fit`
        saw fewer than 10 samples of one of them.
    history_ : dict of str to list of float
        Of each epoch: the loss, the terms that it is the sum of (NaN where a term was not
        part of it), the accuracy on the samples of the source (NaN where they do not take part)
        and the learning rate.
    {n_features_in_}
    {feature_names_in_}
    n_iter_ : int
        Epochs.
    selection_ : dict of str to list
        What ``method="auto"`` tried, a row for each candidate: its score and the two that this is the mean of, soft
        neighborhood density and mutual information (for comparison), the accuracy on samples of the source that
        were held out, the largest share of the target that is predicted as one class, why it was left out ("veto"),
        and whether it was chosen. Empty for other methods.
        ``pandas.DataFrame(selection_)`` is a table of it.

    Warns
    -----
    AdaptationWarning
        If the domains are far apart and "auto" finds nothing better than the source alone; of
        negative transfer, if the mutual information of target samples and their predictions is
        less than that of the network that saw the source alone; if nearly all of the target is
        predicted as one class; or if columns of the two domains have other scales. Of predictions, once for
        a fitted estimator: if at least 10 % of the samples, and 10, are far from both domains, or nearly all
        are predicted as one class that they do not look like, though the source had several.

    See Also
    --------
    TransferClassifier : For a target domain with labels.
    skltransfer.model_selection : Scores without labels of the target, to choose a method by.
    domain_report : What differs between two domains.

    References
    ----------
    adabn : Li et al., Pattern Recognition 2018. standardize : each domain by its own statistics, as
    in Sun, Feng & Saenko, AAAI 2016, before they align covariances. subspace_alignment : Fernando et
    al., ICCV 2013. linear_ot : Flamary et al., arXiv 2019. coral : Sun & Saenko, ECCV Workshops
    2016, with the means as well.
    mmd : Long et al., ICML 2015. jmmd : Long et al., ICML 2017. dann : Ganin et al., JMLR
    2016. cdan, cdan_e : Long et al., NeurIPS 2018. adda : Tzeng et al., CVPR 2017, with the
    loss of confusion of Tzeng et al., ICCV 2015. mcd : Saito et al., CVPR 2018. mdd : Zhang
    et al., ICML 2019. mcc : Jin et al., ECCV 2020. deepjdot : Damodaran et al., ECCV 2018.
    deepjdot_mcc : the losses of both together.
    self_training : Zou et al., ECCV 2018. shot : Liang et al., ICML 2020. tent : Wang et
    al., ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skltransfer import DomainAdaptationClassifier
    >>> random = np.random.default_rng(0)
    >>> X, y = random.normal(size=(200, 2)), np.arange(200) % 2
    >>> X[:, 0] += 4 * y
    >>> X[100:] += [1.5, 3]  # the target lies elsewhere
    >>> domain = np.repeat([1, -1], 100)
    >>> clf = DomainAdaptationClassifier(method="coral", random_state=0)
    >>> clf.fit(X, y, sample_domain=domain).predict(X[100:]).shape
    (100,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ADAPTATION_CONSTRAINTS,
        "method": [StrOptions({*METHODS, AUTO}), callable],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_shift": [StrOptions({"auto"}), None],
    }

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        method: Any = "auto",
        weight: float | str = "auto",
        ramp: str = "sigmoid",
        aligned: str = "embedding",
        input_shape: Any = None,
        pixel_range: Any = None,
        image_size: Any = "auto",
        sample_rate: float | None = None,
        sample_kind: str | None = None,
        memory: Any = None,
        trainable: Any = "auto",
        head: Any = "auto",
        features: str = "auto",
        epochs: int | str = "auto",
        source_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        schedule: str = "cosine",
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        weight_decay: float = 0.0,
        batch_norm: str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        class_weight: Any = None,
        label_shift: str | None = None,
        callbacks: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.method = method
        self.weight = weight
        self.ramp = ramp
        self.aligned = aligned
        self.input_shape = input_shape
        self.pixel_range = pixel_range
        self.image_size = image_size
        self.sample_rate = sample_rate
        self.sample_kind = sample_kind
        self.memory = memory
        self.trainable = trainable
        self.head = head
        self.features = features
        self.epochs = epochs
        self.source_epochs = source_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.batch_norm = batch_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.label_shift = label_shift
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_earlier_fit
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        sample_domain: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> DomainAdaptationClassifier:
        """Learn from the samples of the source, and adapt to those of the target.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels. Those of target samples are not read. May be left out if there are target
            samples only, for a network that is trained already.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples of the source; 0 leaves any sample out.
        sample_domain : array-like of int, shape (n_samples,), default=None
            The domain of each sample: positive for a source, negative for a target, one number a
            domain. Without it, samples whose label is masked (-1 among integers, NaN among
            floats, None) are the target; if none is, all samples are of the source, and nothing is
            adapted.
        X_val, y_val : like X and y, default=None
            Labeled samples whose loss is in ``history_`` and, with ``early_stopping``, decides when to
            stop training on the source, instead of samples held out.

        Returns
        -------
        self : DomainAdaptationClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If samples, labels, domains or parameters do not fit together, or the loss is no
            longer finite.
        """
        samples, format = read_new(self, X)
        known = read_source(
            samples, y, sample_weight, sample_domain, needs=self._needs(sample_domain), name=type(self).__name__
        )
        start = self._source_model()
        encoding = LabelEncoding.learn(read_labels(known.y)) if start is None else start.encoding
        _check_weighted(self.class_weight, encoding.classes[0])
        targets = encoding.targets(known.y, known.weights, self.class_weight)
        held_out = None
        if X_val is not None:
            seen = self._validation(X_val, y_val, format)
            held_out = seen.samples, encoding.targets(seen.y, seen.weights, None)
        return self._fit(known, targets, format, encoding, FitMonitor(self, X, y, sample_weight), held_out)

    def predict(self, X: Any, sample_domain: Any = None, allow_source: bool = False) -> Array:
        """Predict labels.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.
        sample_domain, allow_source
            Not used, as all samples are predicted alike; skada's scorers pass them.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, as they came.
        """
        check_is_fitted(self)
        return self.model_.encoding.predictions(self._decide(X))

    def predict_proba(self, X: Any, sample_domain: Any = None, allow_source: bool = False) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.
        sample_domain, allow_source
            Not used, as all samples are predicted alike; skada's scorers pass them.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities of a sample sum to 1; columns are in the order of ``classes_``.
        """
        check_is_fitted(self)
        return np.asarray(self.model_.encoding.probabilities(self._decide(X)))

    def predict_log_proba(self, X: Any, sample_domain: Any = None, allow_source: bool = False) -> Array:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.
        sample_domain, allow_source
            Not used, as all samples are predicted alike; skada's scorers pass them.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Natural logarithms.
        """
        check_is_fitted(self)
        return np.asarray(self.model_.encoding.log_probabilities(self._decide(X)))

    def decision_function(self, X: Any, sample_domain: Any = None, allow_source: bool = False) -> Array:
        """Compute decision values.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.
        sample_domain, allow_source
            Not used, as all samples are predicted alike; skada's scorers pass them.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of ``classes_[1]`` for two classes, else a value for each class.
        """
        check_is_fitted(self)
        return np.asarray(self.model_.encoding.decisions(self._decide(X)))

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, sample_domain: Any = None, allow_source: bool = False
    ) -> float:
        """Compute the accuracy.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            The samples.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        sample_domain, allow_source
            Not used, as all samples are predicted alike; skada's scorers pass them.

        Returns
        -------
        float
            From 0 to 1.
        """
        return float(super().score(X, y, sample_weight))

    @property
    def selection_(self) -> dict[str, list[Any]]:
        """What ``method="auto"`` tried, by column."""
        return dict(self.model_.selection)

    @property
    def classes_(self) -> Array:
        """The labels, as they came, sorted."""
        return self.model_.encoding.classes[0]


def _check_weighted(class_weight: Any, classes: Array) -> None:
    """Refuse the weight of a class that no sample of the source has, as it could not be predicted."""
    known = classes.tolist()
    absent = [label for label in class_weight if label not in known] if isinstance(class_weight, dict) else []
    if absent:
        raise ValueError(
            f"class_weight: expected classes that samples of the source have, {known}. Got {absent} as well; add "
            "source samples of them, or leave them out."
        )
