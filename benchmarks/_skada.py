"""skada's deep methods on the networks of the benchmark, in PyTorch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from skada.deep import CDAN, DAN, DANN, MCC, DeepCoral, SourceOnly
from skada.deep.modules import DomainClassifier
from skorch.callbacks import LRScheduler
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from skltransfer._engine.schedules import rate_factor

METHODS = {"source_only": SourceOnly, "coral": DeepCoral, "mmd": DAN, "dann": DANN, "cdan": CDAN, "mcc": MCC}
"""By the names of the same methods here."""


class Net(nn.Module):
    """Layers up to the embedding, and a linear one."""

    def __init__(self, body: nn.Module, width: int, n_classes: int) -> None:
        super().__init__()
        self.body, self.last, self.width = body, nn.Linear(width, n_classes), width
        for module in self.modules():  # first weights as those of Keras
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x: Any, sample_weight: Any = None) -> Any:
        return self.last(self.body(x))


def conv_net(n_classes: int) -> Net:
    convolutions = nn.Sequential(
        nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    )  # fmt: skip
    return Net(nn.Sequential(convolutions, nn.Linear(32 * 4 * 4, 128), nn.ReLU()), 128, n_classes)


def bottleneck(n_features: int, n_classes: int) -> Net:
    return Net(nn.Sequential(nn.Linear(n_features, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU()), 64, n_classes)


def dann_net(n_classes: int) -> Net:
    convolutions = nn.Sequential(
        nn.Conv2d(3, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 48, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    )
    dense = nn.Sequential(nn.Linear(48 * 4 * 4, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU())
    return Net(nn.Sequential(convolutions, dense), 100, n_classes)


def discriminated(n_features: int) -> DomainClassifier:
    """Make skada's adversary with a sigmoid.

    Its own ends with a softmax of a single value, which is 1 whatever the weights are, so that nothing adapts.
    """
    adversary = DomainClassifier(num_features=n_features)
    adversary.classifier[-1] = nn.Sigmoid()
    return adversary


def rows(X: np.ndarray) -> np.ndarray:
    """Pictures from -1 to 1, channels first; features as they are."""
    return (np.moveaxis(X, 3, 1).astype(np.float32) - 127.5) / 127.5 if X.ndim == 4 else X


class Peer:
    """One method of skada, trained as ours is: Adam with the same learning rates, batches and epochs."""

    def __init__(self, method: str, net: Net, n_classes: int, *, seed: int, **training: Any) -> None:
        self.method, self.net, self.n_classes, self.seed, self.training = method, net, n_classes, seed, training

    def fit(self, X_source: np.ndarray, y_source: np.ndarray, X_target: np.ndarray) -> Peer:
        torch.manual_seed(self.seed)
        epochs, batch_size = self.training["epochs"], self.training["batch_size"]
        n_steps = epochs * (max(len(X_source), len(X_target)) // batch_size)

        def factor(step: int) -> float:
            return rate_factor("cosine", min((step + 0.5) / n_steps, 1.0), 0.1)

        rates = LRScheduler(policy=LambdaLR, lr_lambda=factor, step_every="batch")
        self.fitted = METHODS[self.method](
            self.net, layer_name="body", optimizer=torch.optim.AdamW, lr=self.training["learning_rate"],
            optimizer__weight_decay=0.0, max_epochs=epochs, batch_size=batch_size, train_split=None, verbose=0,
            callbacks=[("rates", rates)], **self._adversary(),
        )  # fmt: skip
        X = np.concatenate([rows(X_source), rows(X_target)])
        y = np.concatenate([y_source, np.full(len(X_target), -1)]).astype(np.int64)
        domain = np.repeat([1, -2], [len(X_source), len(X_target)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.fitted.fit(X, y, sample_domain=domain)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.fitted.predict_proba(rows(X), allow_source=True)

    def _adversary(self) -> dict[str, Any]:
        width = {"dann": self.net.width, "cdan": self.net.width * self.n_classes}.get(self.method)
        return {} if width is None else {"domain_classifier": discriminated(width)}
