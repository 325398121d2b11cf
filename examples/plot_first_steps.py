"""Fit, search and look: a classifier of clothes from 100 labeled images."""

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, cross_val_score

from skltransfer import TransferClassifier
from skltransfer.datasets import load_fashion_sample

sample = load_fashion_sample()
scores = cross_val_score(TransferClassifier(), sample.images, sample.target, cv=5)
print(f"5-fold cross-validation: {scores.mean():.2f} ± {scores.std():.2f}")

search = GridSearchCV(TransferClassifier(), {"C": [0.01, 0.1, 1.0]}, cv=5).fit(sample.images, sample.target)
print(f"best: {search.best_params_}; on the test images: {search.score(sample.images_test, sample.target_test):.2f}")

ConfusionMatrixDisplay.from_estimator(search, sample.images_test, sample.target_test, xticks_rotation="vertical")
plt.tight_layout()
plt.savefig("first_steps.png")
