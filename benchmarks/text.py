"""Texts: MiniLM beside TF-IDF, fine-tuned beside frozen, and beside its reference network and ONNX Runtime.

``port``: embeddings of 200 real sentences beside the reference network in PyTorch (``transformers``).
``encoding``: 2,000 sentences through both compiled networks, in turn, on the same batches of like
lengths; ONNX Runtime as it comes, on the graph that PyTorch exports, in float32. ``domains``: four kinds
of sentences with a sentiment, and 20 Newsgroups (texts cut at 128 tokens for the networks, whole for
TF-IDF; 1,000 texts of the test part); rows and seeds are shared by all ways. The network is fine-tuned on
three seeds, on 20 Newsgroups on two.

Run: ``python benchmarks/text.py [port | encoding | domains [NAME …]]`` (needs ``torch``, ``transformers``, ``onnx``
and ``onnxruntime``; all domains take hours, so give names to run them one by one).
"""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Any

import numpy as np
from _data import SENTIMENT, minilm_folder, newsgroups, sentiment
from _measure import in_turn, ratio, report
from _scores import Scores
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

SEEDS, TUNED_SEEDS, NEWS_TUNED_SEEDS = range(5), range(3), range(2)
SIZES, TUNED_SIZE, N_TEST, NEWS_TOKENS = (10, 50, 200), 200, 1000, 128
FROZEN, TFIDF, LAST, LORA = "frozen + head", "TF-IDF + logistic regression", "last 2 stages", "LoRA"


def reference() -> Any:
    """The network in PyTorch, with mean pooling, as a module from token numbers to embeddings."""
    import torch
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    folder = minilm_folder()
    bert = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
    bert.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    bert.set_attn_implementation("eager")

    class Mean(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, tokens: Any) -> Any:
            present = (tokens != 0).float()
            states = self.bert(input_ids=tokens, attention_mask=present).last_hidden_state
            return (states * present[..., None]).sum(1) / present.sum(1, keepdim=True)

    return Mean().eval()


def port() -> dict[str, float]:
    import torch

    from skltransfer import BackboneTransformer, load_backbone

    backbone = load_backbone("minilm_l6", weights=minilm_folder())
    texts = [text for name in SENTIMENT for text in sentiment()[name][0][:50]]
    ours = BackboneTransformer(backbone).fit_transform(texts)
    network = reference()
    with torch.no_grad():
        theirs = np.concatenate(
            [network(torch.tensor(t[None].astype(int))) for t in backbone.tokenization.encode(texts)]
        )
    cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    return {"smallest_cosine": float(cosines.min()), "largest_difference": float(np.abs(ours - theirs).max())}


def onnx_session() -> Any:
    import onnxruntime
    import torch

    file = io.BytesIO()
    torch.onnx.export(
        reference(), (torch.ones(2, 8, dtype=torch.long),), file, input_names=["tokens"], output_names=["features"],
        dynamic_axes={"tokens": {0: "rows", 1: "length"}}, opset_version=17, dynamo=False,
    )  # fmt: skip
    return onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])


def encoding() -> dict[str, float]:
    from skltransfer import load_backbone
    from skltransfer._features.extraction import BATCH_STEPS, compute, plan_extraction
    from skltransfer._inputs.formats import InputFormat
    from skltransfer._inputs.samples import filled_length
    from skltransfer._inputs.texts import TextSamples

    backbone = load_backbone("minilm_l6", weights=minilm_folder())
    texts = TextSamples([text for name in SENTIMENT for text in sentiment()[name][0][:500]])
    plan, everything = plan_extraction(backbone, InputFormat("texts", ())), range(len(texts))
    filled = np.array([filled_length(length) for length in texts.lengths(everything, backbone.tokenization)])
    wide, session = [], onnx_session()
    for length in np.unique(filled):
        alike = np.flatnonzero(filled == length)
        for part in np.split(alike, range(0, len(alike), max(1, BATCH_STEPS // length))[1:]):
            wide.append(texts.read(part, backbone.tokenization).astype(np.int64))
    times = in_turn(
        lambda: list(compute(plan, texts, everything)), lambda: [session.run(None, {"tokens": batch}) for batch in wide]
    )
    return {"texts_per_second": len(texts) / float(np.median(times[0])), "speed_over_onnx": 1 / ratio(*times)}


def domain(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Texts and labels to train on and to test on."""
    if name == "newsgroups":
        texts, labels, texts_test, labels_test = newsgroups()
        chosen = np.random.default_rng(0).permutation(len(texts_test))[:N_TEST]
        return np.array(texts, object), labels, np.array(texts_test, object)[chosen], labels_test[chosen]
    texts, labels = sentiment()[name]
    order, X = np.random.default_rng(0).permutation(len(texts)), np.array(texts, object)
    test, rest = order[:N_TEST], order[N_TEST:]
    return X[rest], labels[rest], X[test], labels[test]


def ways(size: int, name: str, seed: int) -> dict[str, Any]:
    from skltransfer import LoRA, TransferClassifier, load_backbone

    backbone = load_backbone("minilm_l6", weights=minilm_folder())
    seeds = TUNED_SEEDS
    if name == "newsgroups":
        seeds = NEWS_TUNED_SEEDS
        backbone = replace(backbone, tokenization=replace(backbone.tokenization, longest=NEWS_TOKENS))
    tfidf = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    found = {FROZEN: TransferClassifier(backbone), TFIDF: make_pipeline(tfidf, LogisticRegression(C=10.0))}
    if size >= TUNED_SIZE and seed in seeds:
        common = {"epochs": 4, "random_state": seed}
        found[LAST] = TransferClassifier(backbone, trainable=2, learning_rate=3e-4, **common)
        found[LORA] = TransferClassifier(backbone, trainable=LoRA(rank=8), learning_rate=1e-3, **common)
    return found


def domains(names: list[str]) -> dict[str, Any]:
    scores, figures = Scores(SIZES), {}
    for name in names:
        X, y, X_test, y_test = domain(name)
        for seed in SEEDS:
            random = np.random.default_rng(seed)
            mixed = random.permutation(len(X))
            for size in SIZES:
                rows = np.concatenate([mixed[y[mixed] == label][:size] for label in np.unique(y)])
                for way, estimator in ways(size, name, seed).items():
                    scores.add(name, way, size, estimator.fit(X[rows], y[rows]).score(X_test, y_test))
        gains = {f"frozen_over_tfidf_{size}": scores.gain(name, FROZEN, TFIDF, size) for size in SIZES}
        frozen = scores.values[name, FROZEN, TUNED_SIZE]
        for way in (LAST, LORA):
            tuned = scores.values[name, way, TUNED_SIZE]
            difference = 100 * np.subtract(tuned, frozen[: len(tuned)])
            gains[f"{way}_over_frozen"] = [
                float(difference.mean()),
                float(difference.std(ddof=1) / len(difference) ** 0.5),
            ]
        figures[name] = gains
    print(scores.table())
    return figures


def main() -> None:
    chosen, *names = sys.argv[1:] or ["all"]
    if chosen in ("port", "all"):
        report("text_port", **port())
    if chosen in ("encoding", "all"):
        report("text_encoding", **encoding())
    if chosen in ("domains", "all"):
        report("text_domains", **domains(names or [*SENTIMENT, "newsgroups"]))


if __name__ == "__main__":
    main()
