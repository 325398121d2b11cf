"""Turned digits without labels: what differs, adaptation, and a choice of the method that needs no label of them."""

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skltransfer import DomainAdaptationClassifier, domain_report
from skltransfer.model_selection import MutualInformationScorer

X, y = load_digits(return_X_y=True)
turned = rotate(X[900:].reshape(-1, 8, 8), 25, axes=(1, 2), reshape=False, order=1).reshape(-1, 64)
seen, numbers, unseen, test, hidden = X[:450], y[:450], turned[:450], turned[450:], y[1350:]

main_axes = PCA(16).fit(seen)
print(domain_report(main_axes.transform(seen), numbers, main_axes.transform(unseen), random_state=0))

samples, labels = np.concatenate([seen, unseen]), np.concatenate([numbers, np.full(len(unseen), -1)])  # -1: not known
information = MutualInformationScorer()
print(f"\n{'method':14}{'mutual information':>22}{'right, which nobody knows':>28}")
for method in ("source_only", "coral", "mmd", "dann", "mcc", "deepjdot", "auto"):
    classifier = DomainAdaptationClassifier(method=method, epochs=60, random_state=0).fit(samples, labels)
    print(f"{method:14}{information(classifier, unseen):17.3f} nats{classifier.score(test, hidden):28.3f}")
