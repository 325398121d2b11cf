"""Few labels and many samples without: an autoencoder in a Pipeline, then as the start of a classifier."""

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from skltransfer import AutoencoderTransformer, TransferClassifier

X, y = load_digits(return_X_y=True)
unlabeled, X, _, y = train_test_split(X, y, test_size=800, stratify=y, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, train_size=100, stratify=y, random_state=0)

pipeline = make_pipeline(AutoencoderTransformer("dense", epochs=100, random_state=0), LogisticRegression(max_iter=1000))
search = GridSearchCV(pipeline, {"autoencodertransformer__latent_dim": [8, 16, 32]}, cv=3).fit(X, y)
print(f"an autoencoder of the labeled samples alone: {search.score(X_test, y_test):.3f} with {search.best_params_}")

many = AutoencoderTransformer("dense", latent_dim=32, epochs=300, corruption="gaussian", random_state=0).fit(unlabeled)
print(f"one of {len(unlabeled)} unlabeled samples: ", end="")
print(f"{TransferClassifier(many.backbone_, random_state=0).fit(X, y).score(X_test, y_test):.3f}")

outliers = many.score_samples(X_test).argsort()[:5]
print(f"hardest to reconstruct: {y_test[outliers]}, the digits of samples {outliers}")
