"""`TransferClassifier`: a pretrained network as a classifier."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, assert_all_finite, check_is_fitted

from skltransfer import engine
from skltransfer._base import BackboneEstimator
from skltransfer.backbones import standardize
from skltransfer.features import Extraction, compute, extract, plan_extraction, row_format
from skltransfer.finetuning import TRAINABLE, backbone_moves
from skltransfer.heads import fit_logistic, log_probabilities, probabilities, weighted_moments
from skltransfer.inputs import Rows

Array = NDArray[Any]

FULL_BATCH_ROWS = 1024
MIN_STEPS = 300


class TransferClassifier(ClassifierMixin, BackboneEstimator):
    """Classify pictures, or rows of a table, with a pretrained network.

    On a pretrained backbone, the default is an L2-penalised logistic regression on its
    standardised features, solved to convergence. Features of a row are computed once and
    remembered, however many folds and candidates of a search ask for them.

    Parameters
    ----------
    backbone : str, path-like, Backbone, keras.Model or callable, default="auto"
        Whatever `load_backbone` takes. "auto" is ``"efficientnet_lite0"`` for pictures. No
        pretrained network can know the columns of a table: there, "auto" is the untrained
        ``"mlp"``, trained from scratch.
    input_shape : tuple of (height, width[, channels]), default=None
        Shape of one picture, if each is a flattened row.
    image_size : "auto", int or tuple of (height, width), default="auto"
        Size at which the network sees pictures. "auto" is the network's own fixed size, or,
        for a pretrained one that takes any size, 160 for arrays of pictures up to 160
        pixels, and the size it was trained at for larger ones and for image files. An
        untrained network sees arrays as they are and files at 160.
    memory : path-like, default=None
        Folder in which features are remembered for other processes and later runs. None
        remembers them in this process, up to 512 MiB.
    trainable : {"auto", "head", "all"}, default="auto"
        What moves in `fit`: the head, or everything. "auto" is the head on a pretrained
        backbone and everything on an untrained one.
    C : float, default=0.1
        Inverse strength of the head's L2 penalty. Used when only the head moves.
    epochs : int or "auto", default="auto"
        Passes over the rows when everything moves. "auto" is at least 10, and as many as
        make 300 steps.
    batch_size : int or "auto", default="auto"
        Rows a step when everything moves. "auto" is all rows of a table up to 1024 rows,
        else 32.
    learning_rate : float or "auto", default="auto"
        Step size of AdamW when everything moves. "auto" is 0.01 for steps over all rows,
        else 0.001.
    weight_decay : float, default=0.0
        Decoupled weight decay of AdamW when everything moves.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class; "balanced" gives all classes the same total.
    random_state : int, RandomState instance or None, default=None
        Draws the weights of an untrained network and the order of the rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, as they came, sorted.
    backbone_ : Backbone
        The network, ready to start another estimator.
    n_features_in_ : int
        Values in one row; 1 for image files.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if `fit` saw a frame.
    n_iter_ : int
        Iterations of the head's solver, or epochs.

    See Also
    --------
    BackboneTransformer : The features alone, for any classifier of scikit-learn.

    References
    ----------
    Kornblith, Shlens & Le, "Do Better ImageNet Models Transfer Better?", CVPR 2019.

    Examples
    --------
    >>> from skltransfer import TransferClassifier
    >>> from skltransfer.datasets import load_fashion_sample
    >>> sample = load_fashion_sample()
    >>> clf = TransferClassifier().fit(sample.images, sample.target)
    >>> clf.predict(sample.images_test[:2]).shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BackboneEstimator._parameter_constraints,
        "trainable": [StrOptions(set(TRAINABLE))],
        "C": [Interval(Real, 0, None, closed="neither")],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        input_shape: Any = None,
        image_size: Any = "auto",
        memory: Any = None,
        trainable: str = "auto",
        C: float = 0.1,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        weight_decay: float = 0.0,
        class_weight: Any = None,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.input_shape = input_shape
        self.image_size = image_size
        self.memory = memory
        self.trainable = trainable
        self.C = C
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TransferClassifier:
        """Fit to labelled rows.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            The rows: pictures of shape (n, height, width[, channels]), flattened rows with
            ``input_shape``, image files, or a table.
        y : array-like of shape (n_rows,)
            Labels of any type that can be sorted.
        sample_weight : array-like of shape (n_rows,), default=None
            How often each row counts; 0 leaves it out.

        Returns
        -------
        self : TransferClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If rows, labels or parameters do not fit together, or there is only one class.
        """
        rows = self._read(X, reset=True)
        rows, codes, weights = self._read_labels(rows, y, sample_weight)
        backbone = self._starting_backbone()
        self._moved = backbone_moves(self.trainable, pretrained=backbone.pretrained)
        if self._format.kind == "table" and not backbone.pretrained:
            backbone = standardize(backbone, *weighted_moments(np.asarray(rows.read(range(len(rows)))), weights))
        self._extraction = plan_extraction(backbone, self._format, image_size=self.image_size)
        if self._moved:
            self._fit_all(rows, codes, weights)
        else:
            features = extract(self._extraction, rows, memory=self.memory)
            self._head = fit_logistic(features, codes, n_classes=len(self.classes_), C=self.C, weights=weights)
        self.backbone_ = self._extraction.backbone
        self.n_iter_ = self._head.n_iter
        return self

    def predict(self, X: Any) -> Array:
        """Predict labels.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            Rows like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_rows,)
            Labels, as they came.
        """
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            Rows like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Rows sum to 1; columns are in the order of ``classes_``.
        """
        return probabilities(self._decide(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            Rows like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Natural logarithms; columns are in the order of ``classes_``.
        """
        return log_probabilities(self._decide(X))

    def decision_function(self, X: Any) -> Array:
        """Compute decision values.

        Parameters
        ----------
        X : array-like, frame, or sequence of paths or PIL images
            Rows like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_classes)
            Log-odds of ``classes_[1]`` for two classes, else a value for each class, the
            largest of which is predicted.
        """
        decisions = self._decide(X)
        return decisions[:, 0] if decisions.shape[1] == 1 else decisions

    def _read_labels(self, rows: Rows, y: Any, sample_weight: Any) -> tuple[Rows, NDArray[np.intp], Array]:
        """Return the rows that count, their class numbers and their weights."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if len(y) != len(rows):
            raise ValueError(f"y: expected {len(rows)} labels, one for each row of X. Got {len(y)}.")
        weights = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        kept = weights > 0
        encoder = LabelEncoder().fit(y[kept])
        if len(encoder.classes_) < 2:
            raise ValueError(
                f"y: expected at least 2 classes among the rows of positive weight. Got {len(encoder.classes_)} class: "
                f"{encoder.classes_.tolist()}; add rows of another class."
            )
        self.classes_ = encoder.classes_
        codes, weights = encoder.transform(y[kept]), weights[kept]
        by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y[kept], sample_weight=weights)
        return rows.take(kept), codes, weights * by_class[codes]

    def _fit_all(self, rows: Rows, codes: NDArray[np.intp], weights: Array) -> None:
        """Train the backbone and the head together."""
        preparation = self._extraction.preparation
        trained, self._head, self._losses = engine.train(
            self._extraction.backbone,
            rows,
            codes,
            weights,
            n_outputs=len(self.classes_),
            preparation=preparation,
            row=row_format(rows, preparation),
            training=self._training(len(rows)),
        )
        self._extraction = Extraction(trained, self._extraction.stage, self._extraction.pooling, preparation)

    def _training(self, n_rows: int) -> engine.Training:
        """Settle what "auto" means for so many rows."""
        whole = self._format.kind == "table" and n_rows <= FULL_BATCH_ROWS
        batch_size = (n_rows if whole else 32) if self.batch_size == "auto" else int(self.batch_size)
        steps = -(-n_rows // batch_size)
        rate = (0.01 if steps == 1 else 0.001) if self.learning_rate == "auto" else float(self.learning_rate)
        epochs = max(10, -(-MIN_STEPS // steps)) if self.epochs == "auto" else int(self.epochs)
        return engine.Training(epochs, batch_size, rate, float(self.weight_decay), self._seed())

    def _decide(self, X: Any) -> Array:
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        if self._moved:
            features = np.stack(list(compute(self._extraction, rows, range(len(rows)))))
        else:
            features = extract(self._extraction, rows, memory=self.memory)
        decisions = self._head(features)
        return decisions[:, 1:] - decisions[:, :1] if len(self.classes_) == 2 and decisions.shape[1] == 2 else decisions
