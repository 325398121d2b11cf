"""What `TransferClassifier` and `TransferRegressor` share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skltransfer._estimators.base import AUDIO_PARAMETERS, RUNTIME_PARAMETERS, BackboneEstimator, TrainedMixin
from skltransfer._estimators.fitted import FittedModel
from skltransfer._estimators.parameters import REGULARIZED_CONSTRAINTS, TRAINING_CONSTRAINTS
from skltransfer._utils.progress import showing
from skltransfer._utils.types import Array
from skltransfer.supervised._attention_maps import Maps, attention_maps
from skltransfer.supervised._attention_transfer import AttentionTransfer

SUPERVISED_CONSTRAINTS: dict[str, Any] = {
    **BackboneEstimator._parameter_constraints,
    **AUDIO_PARAMETERS,
    **RUNTIME_PARAMETERS,
    **TRAINING_CONSTRAINTS,
    **REGULARIZED_CONSTRAINTS,
    "head": "no_validation",
    "features": [StrOptions({"auto", "last"})],
    "attention_transfer": [Interval(Real, 0, None, closed="left"), AttentionTransfer],
    "mixup": [Interval(Real, 0, None, closed="left")],
    "budget": [Interval(Real, 2, None, closed="left"), None],
    "n_views": [Interval(Integral, 2, None, closed="left")],
    "solve_head": ["boolean"],
    "metrics": [list, tuple, None],
}


class SupervisedMixin(TrainedMixin):
    """Show where a fitted head looks, and what was tried for it."""

    model_: FittedModel
    verbose: int

    @abstractmethod
    def _directions(self, targets: Any, n_samples: int) -> Callable[[Array, slice], Array]:
        """Return how the decision values of some samples add up to what is explained."""

    def attention_maps(self, X: Any, *, method: str = "auto", targets: Any = None) -> Maps:
        """Show where the network looks: how much each place of each sample counts.

        Parameters
        ----------
        X : array-like, or sequence of paths, PIL images or texts
            Samples like those that `fit` saw.
        method : {"auto", "head", "rollout", "grad_cam"}, default="auto"
            "head" gives the weights of an attention head, a mean over its queries. "rollout"
            multiplies the attention of all blocks of a transformer, half of each being its
            residual connection. "grad_cam" weighs the channels of the last grid by the
            gradient of the decision, and keeps what speaks for it; the weights of an
            attention head are held fixed; of blocks of features, the last stage is shown alone.
            "auto" is the first of them that the network has.
        targets : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
            The labels that "grad_cam" explains; None explains what is predicted.

        Returns
        -------
        ndarray of shape (n_samples, height, width) or (n_samples, n_steps), or list of ndarray
            Each sample sums to 1. Images have the grid of the last features, or of the patches;
            texts have an array of shape (n_tokens,) each, in the order of
            ``backbone_.tokenization.tokens(text)``.

        Raises
        ------
        ValueError
            If the network has no such maps.

        References
        ----------
        Abnar & Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020.

        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
        Localization", ICCV 2017.
        """
        check_is_fitted(self)
        samples = self._read_known(X)
        return attention_maps(
            self.model_, samples, method, self._directions(targets, len(samples)), image_size=self.image_size,
            memory=self.memory,
        )  # fmt: skip

    @property
    def selection_(self) -> dict[str, list[Any]]:
        """What was tried for a head that is solved, by column."""
        return dict(self.model_.selection)

    def _decide(self, X: Any) -> Array:
        """Compute decision values of shape (n_samples, n_outputs)."""
        with showing(type(self).__name__, int(self.verbose)):
            return self.model_.decisions(self._read_known(X), self.memory)
