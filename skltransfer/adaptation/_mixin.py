"""What `DomainAdaptationClassifier` and `DomainAdaptationRegressor` share."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import AUDIO_PARAMETERS, BackboneEstimator, TrainedMixin
from skltransfer._estimators.fit import fit
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.holdout import HeldOut
from skltransfer._estimators.parameters import TRAINING_CONSTRAINTS
from skltransfer._estimators.progress import FitMonitor
from skltransfer._estimators.reading import read_known
from skltransfer._heads.head import HeadLayers
from skltransfer._heads.parameters import head_layers
from skltransfer._inputs.kind import InputFormat
from skltransfer._targets.domains import Domains
from skltransfer._targets.labels import LabelEncoding
from skltransfer._targets.targets import Targets
from skltransfer._targets.values import ValueEncoding
from skltransfer._utils.progress import showing
from skltransfer._utils.types import Array
from skltransfer.adaptation._automatic import TABLE_BATCH, choose_method
from skltransfer.adaptation._diagnostics import draw, warn_of_no_shift, warn_of_samples
from skltransfer.adaptation._fitting import (
    AdaptationParameters,
    AdaptationRecipe,
    AdaptedModel,
    adapted_to,
    untouched_features,
)
from skltransfer.adaptation._label_shift import find_shares, some_of_each
from skltransfer.adaptation._method import Method
from skltransfer.adaptation._methods import AUTO, METHODS, settle_method
from skltransfer.adaptation._ramp import RAMPS
from skltransfer.adaptation._source import SourceSamples, hold_out_source, read_source, spread
from skltransfer.adaptation._strength import adaptation_strength
from skltransfer.domain_shift._reference import Comparison
from skltransfer.domain_shift._shares import ClassShares

ADAPTATION_CONSTRAINTS: dict[str, Any] = {
    **BackboneEstimator._parameter_constraints,
    **AUDIO_PARAMETERS,
    **TRAINING_CONSTRAINTS,
    "method": [StrOptions(set(METHODS)), callable],
    "weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
    "ramp": [StrOptions(set(RAMPS))],
    "aligned": [StrOptions({"embedding", "backbone"})],
    "head": "no_validation",
    "features": [StrOptions({"auto", "last"})],
    "source_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
}


class AdaptationMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedMixin):
    """Learn from the source, adapt to the target, and give the adapted embedding."""

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__predict: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__predict_proba: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__predict_log_proba: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__decision_function: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"sample_domain": True}

    model_: AdaptedModel
    verbose: int

    @property
    def adaptation_strength_(self) -> float:
        """Share of its weight that the method adapted with, by how far domains are apart."""
        return self.model_.strength

    @property
    def domain_score_(self) -> float:
        """Proxy A-distance of both domains after adaptation: 0 if they are alike, 2 if they are apart."""
        return self.model_.domain_score

    def transform(self, X: Any) -> Array:
        """Compute the adapted embedding: what the last layer decides on.

        Parameters
        ----------
        X : array-like, frame, or sequence of texts, paths, PIL images or waveforms
            Samples like those that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        samples = self._read_known(X)
        with showing(type(self).__name__, int(self.verbose)):
            return self._model_for(samples).features(samples, self.memory)

    @property
    def _n_features_out(self) -> int:
        assert self.model_.head is not None
        return len(self.model_.head.coef)

    @property
    def _adapts_to_samples(self) -> bool:
        return settle_method(self.method).predicts

    def _source_model(self) -> FittedModel | None:
        """Return the fitted model to start from, if one is given."""
        if not isinstance(self.backbone, FrozenEstimator):
            return None
        start = self.backbone.estimator
        model = getattr(start, "model_", None)
        head = getattr(model, "head", None)
        if head is None or head.takes_maps or is_classifier(start) != is_classifier(self):
            raise ValueError(
                "backbone=FrozenEstimator(…): expected a fitted estimator of skltransfer that predicts what this one "
                f"does, with head='linear' or 'mlp'. Got {start!r}."
            )
        return model

    def _needs(self, sample_domain: Any) -> set[str]:
        """Name which samples there have to be."""
        needs = set() if self._source_model() is not None and not settle_method(self.method).source else {"source"}
        return needs | {"target"} if sample_domain is not None and self.method not in ("source_only", "tent") else needs

    def _fit(
        self,
        known: SourceSamples,
        targets: Targets,
        format: InputFormat,
        encoding: LabelEncoding | ValueEncoding,
        monitor: FitMonitor,
        held_out: HeldOut | None,
    ) -> Self:
        """Fit, and keep the model."""
        parameters, source_model = AdaptationParameters.of(self), self._source_model()
        targets = spread(targets, known.domains)
        if self.early_stopping and held_out is None:
            known, targets, held_out = hold_out_source(
                known, targets, share=float(self.validation_fraction), seed=parameters.seed
            )

        strength = self._strength(parameters, known, format)

        def make(method: Any, domains: Domains) -> AdaptationRecipe:
            settled, own = self._method_for(method, domains, strength), parameters
            if self.method == AUTO and settled.needs_target and own.batch_size == "auto" and format.kind.is_table:
                own = replace(own, batch_size=TABLE_BATCH)
            layers = self._layers(settled, source_model)
            return AdaptationRecipe(own, format, settled, encoding, layers, domains, source_model, strength=strength)

        method, selection = self.method, dict[str, list[Any]]()
        if method == AUTO and self.weight != 0 and known.domains.target.any():
            method, selection = choose_method(make, known, targets, held_out)
        recipe = replace(
            make(method, known.domains), class_shares=self._class_shares(parameters, known, targets, format)
        )
        if not strength and settle_method(self.method).trains:
            warn_of_no_shift(self.method)
        model = fit(recipe, known.samples, targets, monitor, held_out=held_out)
        self.model_ = replace(model, selection=selection)  # type: ignore[assignment]
        monitor.end()
        return self

    def _class_shares(
        self, own: AdaptationParameters, known: SourceSamples, targets: Targets, format: InputFormat
    ) -> ClassShares | None:
        """Estimate shares of classes in the target, if they are asked for and there are samples to do it with."""
        if own.label_shift is None or not known.domains.source.any():
            return None
        drawn = some_of_each(targets, known.domains, own.seed)
        if drawn is None:
            return None
        features = untouched_features(own, format, known.samples.take(drawn), self._source_model())
        return find_shares(features, targets.take(drawn), Domains(known.domains.codes[drawn]), own.seed)

    def _strength(self, own: AdaptationParameters, known: SourceSamples, format: InputFormat) -> float:
        """Measure how strongly to adapt, if a method is asked for that is trained and no weight is given."""
        domains = known.domains
        trains = self.method == AUTO or settle_method(self.method).trains
        if self.weight != "auto" or not (trains and domains.source.any() and domains.target.any()):
            return 1.0
        source, target = (
            untouched_features(own, format, samples, self._source_model())
            for samples in draw(known.samples, domains, own.seed)
        )
        return adaptation_strength(source, target, own.seed)

    def _method_for(self, named: Any, domains: Domains, strength: float) -> Method:
        """Return a method; one that does not count beside the source is none."""
        method = settle_method(named)
        idle = (self.weight == 0 and method.needs_target and domains.source.any()) or (strength == 0 and method.trains)
        nowhere = method.aligns is not None and not domains.target.any()
        return settle_method("source_only") if idle or nowhere else method

    def _layers(self, method: Method, source_model: FittedModel | None) -> HeadLayers:
        """Return the layers of the head: those of a start, or, by "auto", none below a layer that is solved."""
        if source_model is not None and source_model.head is not None:
            return source_model.head.layers
        automatic = "linear" if method.aligns is not None else "mlp"
        return head_layers(automatic if isinstance(self.head, str) and self.head == "auto" else self.head)

    def _validation(self, X_val: Any, y_val: Any, format: InputFormat) -> SourceSamples:
        """Read labeled samples for validation."""
        samples = read_known(self, X_val, format)
        every = np.ones(len(samples), dtype=int)
        return read_source(samples, y_val, None, every, needs={"source"}, name=type(self).__name__)

    def _model_for(self, samples: Any) -> FittedModel:
        """Return the fitted model, or one that is adapted to samples that are predicted."""
        method = settle_method(self.method)
        if not method.predicts:
            return self.model_
        return adapted_to(self.model_, AdaptationParameters.of(self), method, samples)

    def _decide(self, X: Any) -> Array:
        """Compute decision values of shape (n_samples, n_outputs), and warn of samples unlike those of `fit`."""
        decisions, embedding = self._answers(X)
        if self.model_.reference.places:
            labels = self.model_.encoding.classes[0].tolist() if is_classifier(self) else []
            warn_of_samples(self.model_, self._compared(decisions, embedding), labels)
        return decisions

    def _compare(self, X: Any) -> Comparison:
        """Compare samples with those of `fit`."""
        return self._compared(*self._answers(X))

    def _answers(self, X: Any) -> tuple[Array, Array]:
        """Compute decision values, and what they are made of."""
        samples = self._read_known(X)
        with showing(type(self).__name__, int(self.verbose)):
            model = self._model_for(samples)
            assert model.head is not None
            pooled = model.network.features(samples, self.memory)
            return model.head.decide(pooled), model.head.embed(pooled)

    def _compared(self, decisions: Array, embedding: Array) -> Comparison:
        return self.model_.reference.compare(embedding, decisions.argmax(axis=1) if is_classifier(self) else None)
