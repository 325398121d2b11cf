"""A frame with a column of image files beside a column of numbers, in one Pipeline."""

from pathlib import Path

import pandas as pd
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skltransfer import BackboneTransformer
from skltransfer.datasets import load_fashion_sample

sample = load_fashion_sample()
folder = Path("images")
folder.mkdir(exist_ok=True)
rows = []
for number, image in enumerate(sample.images):
    path = folder / f"{number}.png"
    Image.fromarray(image).save(path)
    rows.append({"image": str(path), "ink": image.mean()})
frame = pd.DataFrame(rows)

columns = make_column_transformer(
    (make_pipeline(BackboneTransformer(image_size=128), StandardScaler()), "image"),
    (StandardScaler(), ["ink"]),
)
model = make_pipeline(columns, LogisticRegression(C=0.1, max_iter=1000))
print(f"5-fold cross-validation: {cross_val_score(model, frame, sample.target, cv=5).mean():.2f}")
