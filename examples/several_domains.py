"""Digits turned by several angles: how well labels of some angles serve another one, which has none."""

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_digits

from skltransfer import DomainAdaptationClassifier
from skltransfer.model_selection import LeaveOneDomainOut
from skltransfer.plots import AdaptationSelectionDisplay

ANGLES = (0, 20, 40)
digits, numbers = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(digits))[:1200]
parts = np.split(order, 2 * len(ANGLES))  # of each angle, digits with labels and others without
turned = [rotate(digits[part].reshape(-1, 8, 8), angle, axes=(1, 2), reshape=False, order=1).reshape(-1, 64)
          for part, angle in zip(parts, np.repeat(ANGLES, 2), strict=True)]  # fmt: skip
X, y = np.concatenate(turned), numbers[order]
domain = np.repeat([sign * number for number in range(1, len(ANGLES) + 1) for sign in (1, -1)], len(parts[0]))

methods = ("source_only", "deepjdot_mcc")
print(f"{'left out':12}" + "".join(f"{method:>16}" for method in methods))
for train, test in LeaveOneDomainOut().split(X, y, sample_domain=domain):
    angle = ANGLES[domain[test[0]] - 1]
    fits = [
        DomainAdaptationClassifier(method=method, epochs=40, random_state=0).fit(
            X[train], y[train], sample_domain=domain[train]
        )
        for method in methods
    ]
    print(f"{angle:4} degrees" + "".join(f"{fit.score(X[test], y[test]):16.3f}" for fit in fits), flush=True)

chosen = DomainAdaptationClassifier(epochs=40, random_state=0).fit(X[train], y[train], sample_domain=domain[train])
print(f"{angle:4} degrees, by the method that is chosen without its labels: {chosen.score(X[test], y[test]):.3f}")
AdaptationSelectionDisplay.from_estimator(chosen).figure_.savefig("several_domains.png")
print("what was tried is in several_domains.png")
