"""The HTTP server: what it answers, what it refuses, and what it never does."""

import base64
import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files

import numpy as np
import pytest
from _bodies import MAKERS, malformed
from fastapi.testclient import TestClient
from PIL import Image

from skltransfer import AutoencoderTransformer, TransferClassifier, TransferRegressor, export, serve
from skltransfer._keras import backend as _backend
from skltransfer.serve._batching import Batcher

pytestmark = pytest.mark.skipif(_backend.name() != "tensorflow", reason="files are written on TensorFlow")

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(24, 3))
TONES = [RANDOM.normal(size=8000).astype("float32") for _ in range(4)]
RESNET = {"backbone": "small_resnet", "trainable": "head", "image_size": 28, "random_state": 0}
NAMES = ("pictures", "files", "table", "named", "tasks", "sounds", "encoded")


def png(image):
    stored = io.BytesIO()
    Image.fromarray(image).save(stored, "PNG")
    return stored.getvalue()


def sound(wave, rate=8000, **kind):
    import soundfile

    stored = io.BytesIO()
    soundfile.write(stored, wave, rate, **kind or {"format": "WAV", "subtype": "FLOAT"})
    return stored.getvalue()


@pytest.fixture(scope="module")
def paths(tmp_path_factory, images, labels):
    """Fit and save by name; each once."""
    import pandas as pd

    folder, known = tmp_path_factory.mktemp("served"), {}
    y = labels[:12].astype(str)
    fits = {
        "pictures": lambda: TransferClassifier(**RESNET).fit(images[:12], y),
        "files": lambda: TransferRegressor(**RESNET).fit([png(image) for image in images[:12]], np.arange(12.0)),
        "table": lambda: TransferClassifier(random_state=0).fit(TABLE, TABLE[:, 0] > 0),
        "named": lambda: TransferRegressor(random_state=0).fit(
            pd.DataFrame(TABLE, columns=["a", "b", "c"]), TABLE[:, 0]
        ),
        "tasks": lambda: TransferClassifier(**RESNET).fit(images[:12], np.column_stack([y, np.arange(12) % 2 == 0])),
        "sounds": lambda: TransferClassifier("small_resnet", trainable="head", sample_rate=8000).fit(
            TONES, np.arange(4) % 2
        ),
        "encoded": lambda: AutoencoderTransformer(latent_dim=2, epochs=1, random_state=0).fit(TABLE),
    }

    def get(name):
        if name not in known:
            known[name] = folder / f"{name}.onnx"
            export.save(fits[name](), known[name])
        return known[name]

    return get


@pytest.fixture(scope="module")
def running(paths):
    """A client and a predictor by name; each application is started once."""
    known = {}

    def get(name):
        if name not in known:
            predictor = serve.load(paths(name), n_threads=1)
            client = TestClient(
                serve.create_app(predictor, max_bytes=2**20, max_pixels=10**6), raise_server_exceptions=False
            )
            known[name] = client.__enter__(), predictor
        return known[name]

    yield get
    for client, _ in known.values():
        client.__exit__()


def answered(response):
    assert response.status_code == 200, response.text
    return response.json()


def refused(response, status, sentence):
    assert (response.status_code, list(response.json())) == (status, ["detail"])
    assert re.search(sentence, response.json()["detail"]), response.text
    return response


def assert_answers(found, predictor, X):
    np.testing.assert_array_equal(found["predictions"], predictor.predict(X).tolist())
    if hasattr(predictor, "predict_proba"):
        np.testing.assert_allclose(found["probabilities"], predictor.predict_proba(X), atol=1e-5)
        np.testing.assert_array_equal(found["classes"], predictor.classes_)


def test_arrays_and_pictures_of_them(running, images):
    client, predictor = running("pictures")
    X = images[12:14]
    assert_answers(answered(client.post("/predict", json={"samples": X.tolist()})), predictor, X)
    content = [png(image) for image in X]
    one = answered(client.post("/predict", content=content[0], headers={"Content-Type": "image/png"}))
    assert_answers(one, predictor, X[:1])
    form = answered(client.post("/predict", files=[("file", ("a.png", each)) for each in content]))
    assert_answers(form, predictor, X)
    encoded = answered(client.post("/predict", json={"samples": [base64.b64encode(each).decode() for each in content]}))
    assert encoded == form
    larger = png(np.repeat(np.repeat(X[0], 3, axis=0), 2, axis=1))
    found = answered(client.post("/predict", content=larger, headers={"Content-Type": "image/png"}))
    assert found["predictions"] == one["predictions"]


def test_files_of_pictures(running, images):
    client, predictor = running("files")
    content = [png(image) for image in images[12:14]]
    found = answered(client.post("/predict", files=[("file", ("a.png", each)) for each in content]))
    np.testing.assert_allclose(found["predictions"], predictor.predict(content), rtol=1e-4)
    assert list(found) == ["predictions"]
    refused(client.post("/predict", json={"samples": images[:1].tolist()}), 422, "expected an image file in base64")


def test_tables(running):
    client, predictor = running("table")
    assert_answers(answered(client.post("/predict", json={"samples": TABLE[:5].tolist()})), predictor, TABLE[:5])
    refused(
        client.post("/predict", json={"samples": [[1, 2]]}), 422, "X has 2 features, but TransferClassifier is expect"
    )
    refused(client.post("/predict", json={"samples": [[1, 2, None]]}), 422, "Input X contains NaN")
    refused(client.post("/predict", files={"file": b"1,2,3"}), 415, "Samples are a table: expected")
    client, predictor = running("named")
    rows = [dict(zip("cab", row[[2, 0, 1]], strict=True)) for row in TABLE[:2]]
    found = [answered(client.post("/predict", json={"samples": each})) for each in (rows, TABLE[:2].tolist())]
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_allclose(found[0]["predictions"], predictor.predict(TABLE[:2]), rtol=1e-5)
    assert found[0] == found[1]
    refused(client.post("/predict", json={"samples": [{"a": 1, "z": 2}]}), 422, "other columns. Expected a, b, c")


def test_sounds(running):
    client, predictor = running("sounds")
    expected = predictor.predict_proba(TONES[:1])
    for body in (
        {"files": {"file": ("a.wav", sound(TONES[0]))}},
        {"content": sound(TONES[0]), "headers": {"Content-Type": "audio/wav"}},
        {"json": {"samples": [TONES[0].tolist()]}},
    ):
        found = answered(client.post("/predict", **body))
        np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    cut = sound(TONES[0])[:9000]
    refused(client.post("/predict", files={"file": cut}), 422, "ends after 9000 of the")
    refused(client.post("/predict", files={"file": b"no sound"}), 422, "is no sound that can be read")
    long = sound(np.zeros((160_000, 8)), 16000, format="FLAC")
    refused(client.post("/predict", files={"file": long}), 413, "is a sound of 1280000 values. Expected 1000000")


def test_texts(tmp_path):
    texts = ["a good film", "a poor film", "good", "bad"] * 2
    fitted = TransferClassifier("small_transformer", trainable="head", random_state=0).fit(texts, np.arange(8) % 2)
    export.save(fitted, tmp_path / "texts.onnx")
    predictor = serve.load(tmp_path / "texts.onnx")
    (tmp_path / "a.txt").write_text("a good film")
    new = ["a long text of several words that is nowhere else, and more of it", "good", str(tmp_path / "a.txt")]
    with TestClient(serve.create_app(predictor)) as client:
        assert_answers(answered(client.post("/predict", json={"samples": new})), predictor, new)
        raw = answered(client.post("/predict", content=new[0], headers={"Content-Type": "text/plain; charset=utf-8"}))
        assert_answers(raw, predictor, new[:1])
        assert "definition" not in client.get("/metadata").text  # of the tokenizer, which is large
        plain = {"Content-Type": "text/plain"}
        refused(client.post("/predict", content=b"\xff\xfe", headers=plain), 422, "is no text in UTF-8")
        refused(client.post("/predict", json={"samples": [1]}), 422, "expected a string")
        refused(
            client.post("/explain", content="a text", headers=plain), 422, "of probabilities or values .* of images"
        )


def test_features_and_scores(running):
    client, predictor = running("encoded")
    found = answered(client.post("/predict", json={"samples": TABLE[:2].tolist()}))
    np.testing.assert_allclose(found["features"], predictor.transform(TABLE[:2]), rtol=1e-5)
    np.testing.assert_allclose(found["scores"], predictor.score_samples(TABLE[:2]), rtol=1e-5)


def test_several_tasks(running, images):
    client, predictor = running("tasks")
    X = images[12:14]
    found = answered(client.post("/predict", json={"samples": X.tolist()}))
    assert found["predictions"] == predictor.predict(X).tolist()
    for task, expected in enumerate(predictor.predict_proba(X)):
        np.testing.assert_allclose(found["probabilities"][task], expected, atol=1e-5)
        assert found["classes"][task] == predictor.classes_[task].tolist()
    heat = answered(client.post("/explain", json={"samples": X[:1].tolist()}))["heat_map"]
    np.testing.assert_allclose(heat, serve.occlusion_maps(predictor, X[:1])[0], atol=1e-5)


def test_requests_together_get_the_answers_of_each_alone(running, images):
    client, _ = running("pictures")
    bodies = [{"samples": images[i : i + 1 + i % 3].tolist()} for i in range(24)]
    alone = [answered(client.post("/predict", json=body)) for body in bodies]
    with ThreadPoolExecutor(24) as pool:
        together = [answered(each) for each in pool.map(lambda body: client.post("/predict", json=body), bodies)]
    for one, other in zip(together, alone, strict=True):
        assert one["predictions"] == other["predictions"]
        np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-5)


def test_jobs_are_computed_together_and_fail_together():
    sizes = []

    def compute(samples):
        sizes.append(len(samples))
        if len(samples) == 1:
            time.sleep(0.2)  # meanwhile, others come
        if any(sample < 0 for sample in samples):
            raise ValueError("a negative one")
        return [np.stack(samples) * 2, -np.stack(samples)]

    with Batcher(compute, batch_size=8) as batcher:
        first = batcher.submit([np.array(1)])
        time.sleep(0.05)
        cancelled = batcher.submit([np.array(-5)])
        assert cancelled.cancel()
        rest = [batcher.submit([np.array(i)] * 2) for i in range(6)]
        assert [part.tolist() for part in first.result()] == [[2], [-1]]
        assert [[part.tolist() for part in job.result()] for job in rest] == [[[2 * i] * 2, [-i] * 2] for i in range(6)]
        assert sizes == [1, 8, 4]
        wrong = batcher.submit([np.array(-1)])
        with pytest.raises(ValueError, match="a negative one"):
            wrong.result()
        assert batcher.submit([np.array(3)]).result()[0].tolist() == [6]
        last = batcher.submit([np.array(4)])
    assert last.result()[0].tolist() == [8]


def test_covering_a_place_changes_the_answer_where_something_is_there(running, images):
    client, predictor = running("pictures")
    image = np.full((28, 28), 127, "uint8")
    assert (serve.occlusion_maps(predictor, image[None]) == 0).all()
    image[4:8, 8:12] = images[0, 12:16, 12:16]
    heat = serve.occlusion_maps(predictor, image[None])[0]
    assert heat.shape == (7, 7)
    assert heat[1, 2] != 0
    assert np.count_nonzero(heat) == 1
    found = answered(client.post("/explain", files={"file": png(image)}))
    np.testing.assert_allclose(found["heat_map"], heat, atol=1e-6)
    assert found["predictions"] == predictor.predict(image[None]).tolist()
    refused(client.post("/explain", json={"samples": images[:2].tolist()}), 422, "A heat map is of one picture. Got 2")


def test_heat_maps_of_values_and_small_grids(running, images):
    _, predictor = running("files")
    content = [png(image) for image in images[:2]]
    maps = serve.occlusion_maps(predictor, content, grid=2)
    assert maps.shape == (2, 2, 2)
    assert (maps >= 0).all()
    assert maps.any()
    with pytest.raises(ValueError, match=r"expected 1 row and column or more\. Got 0"):
        serve.occlusion_maps(predictor, content, grid=0)
    with pytest.raises(
        ValueError, match=r"Heat maps are of probabilities or values .* Got a TransferClassifier of a table"
    ):
        serve.occlusion_maps(running("table")[1], TABLE)


def test_what_is_known_of_the_model(running):
    client, predictor = running("pictures")
    found = answered(client.get("/metadata"))
    assert found["estimator"] == "TransferClassifier"
    assert found["versions"] == predictor.about["versions"]
    assert found["classes"] == predictor.classes_.tolist()
    assert (found["input"]["kind"], found["input"]["shape"], found["explains"]) == ("image_arrays", [28, 28, 1], True)
    assert found["limits"]["max_bytes"] == 2**20
    assert answered(client.get("/health")) == {"status": "ok"}
    described = answered(client.get("/openapi.json"))["paths"]
    assert set(described) == {"/health", "/metadata", "/predict", "/explain"}
    assert "multipart/form-data" in described["/predict"]["post"]["requestBody"]["content"]
    refused(client.get("/docs"), 404, "Not Found")
    refused(client.get("/predict"), 405, "Method Not Allowed")


@pytest.mark.parametrize("name", ["pictures", "files", "table", "sounds"])
def test_no_file_is_opened_by_a_path_that_a_client_gives(name, running, tmp_path, images):
    client, _ = running(name)
    path = tmp_path / ("a.wav" if name == "sounds" else "a.png")
    path.write_bytes(sound(TONES[0]) if name == "sounds" else png(images[0]))
    for text in (str(path), path.as_uri(), "/etc/passwd"):
        refused(client.post("/predict", json={"samples": [text]}), 422, "sample 0")
        refused(client.post("/predict", json={"samples": [[text]]}), 422, "sample 0")
        refused(client.post("/predict", json={"samples": [{"path": text}]}), 422, "sample 0")
    if name != "table":
        refused(client.post("/predict", files={"file": str(path).encode()}), 422, "sample 0")


def test_limits(running, images):
    client, predictor = running("pictures")
    refused(
        client.post("/predict", content=bytes(2**20 + 1), headers={"Content-Type": "image/png"}), 413, "1048576 bytes"
    )
    chunks = (bytes(2**16) for _ in range(20))
    refused(client.post("/predict", content=chunks, headers={"Content-Type": "application/json"}), 413, "1048576 bytes")
    refused(client.post("/predict", files={"file": bytes(2**20)}), 413, "1048576 bytes")
    refused(client.post("/predict", json={"samples": [[]] * 5000}), 413, "at most 4096 samples")
    large = png(np.zeros((1001, 1000), "uint8"))
    refused(client.post("/predict", files={"file": large}), 413, "1000 x 1001 pixels. Expected 1000000 at most")
    with TestClient(serve.create_app(predictor, timeout=1e-4)) as hasty:
        body = {"samples": np.repeat(images, 10, axis=0).tolist()}
        refused(hasty.post("/predict", json=body), 504, r"within 0\.0001 seconds")
        assert answered(hasty.get("/health")) == {"status": "ok"}
    with pytest.raises(ValueError, match=r"max_bytes: expected a positive number. Got 0"):
        serve.create_app(predictor, max_bytes=0)


@pytest.mark.parametrize("name", ["pictures", "files"])
def test_malformed_bodies_are_refused_and_the_server_stays(name, running, images):
    client, _ = running(name)
    for seed in range(12 * len(MAKERS)):
        kind, body = malformed(seed, 2**20)
        response = client.post("/predict", content=body, headers={"Content-Type": kind})
        assert 400 <= response.status_code < 500, (seed, kind, body[:200], response.text)
        assert isinstance(response.json()["detail"], str)
    assert answered(client.post("/predict", files={"file": png(images[0])}))["predictions"]


def test_answers_that_are_not_finite_are_refused_for_that_request_alone(running):
    client, _ = running("encoded")
    refused(client.post("/predict", json={"samples": [[1e300, 1e300, 1e300]]}), 422, "has answers that are NaN")
    assert answered(client.post("/predict", json={"samples": TABLE[:1].tolist()}))


@contextmanager
def process(path, *options):
    command = [sys.executable, "-m", "skltransfer", "serve", str(path), "--port", "0", "--threads", "1", *options]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = started.stderr.readline()
        found = re.search(r"answers on (http://127\.0\.0\.1:(\d+));", line)
        assert found, line + started.stderr.read()
        yield started, found[1], int(found[2])
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate(timeout=30)


def test_the_command_answers_and_ends(paths, images):
    content = png(images[0])
    with process(paths("pictures"), "--timeout", "1", "--max-requests", "1") as (started, _, port):
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(
                b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nabc"
            )
            time.sleep(0.2)
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("POST", "/predict", content, {"Content-Type": "image/png"})
            assert connection.getresponse().status == 503
            connection.close()
            assert slow.recv(2**16).startswith(b"HTTP/1.1 408")
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/predict", content, {"Content-Type": "image/png"})
        assert len(json.loads(connection.getresponse().read())["predictions"]) == 1
        connection.request("POST", "/predict", b"--edge", {"Content-Type": "multipart/form-data"})
        assert connection.getresponse().status == 400
        connection.close()
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=20)
        assert (started.returncode, errors) == (0, "")


def test_the_command_says_in_a_line_what_is_wrong(paths, tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"none")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cases = [
            ([tmp_path / "nowhere.onnx"], "No such file"),
            ([tmp_path / "no.onnx"], "is damaged, or no file of skltransfer.export.save"),
            ([paths("table"), "--port", str(taken.getsockname()[1])], "Address already in use"),
            ([paths("table"), "--timeout", "-1"], "timeout: expected a positive number. Got -1.0"),
        ]
        for arguments, sentence in cases:
            command = [sys.executable, "-m", "skltransfer", "serve", *map(str, arguments)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
            assert sentence in done.stderr


def test_serving_loads_neither_keras_nor_scikit_learn(paths, images):
    code = """
import sys
from fastapi.testclient import TestClient
import skltransfer.__main__
from skltransfer import serve
with TestClient(serve.create_app(serve.load(sys.argv[1]))) as client:
    assert client.post("/explain", files={"file": open(sys.argv[2], "rb")}).json()["heat_map"]
loaded = {"keras", "tensorflow", "torch", "jax", "sklearn", "scipy", "matplotlib", "joblib"} & set(sys.modules)
assert not loaded, loaded
"""
    picture = paths("pictures").with_name("a.png")
    picture.write_bytes(png(images[0]))
    subprocess.run([sys.executable, "-W", "error", "-c", code, paths("pictures"), picture], check=True)


def test_the_page_takes_nothing_from_elsewhere(running):
    client, _ = running("pictures")
    response = client.get("/")
    assert response.text == files("skltransfer.serve").joinpath("page.html").read_text("utf-8")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"https?://|//[a-z]|@import|url\(", response.text)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one, skip the test."""
    import shutil

    from selenium import webdriver

    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(found):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=390,844"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(found[1]))
    driver.implicitly_wait(20)
    yield driver
    driver.quit()


def test_the_page_answers_a_picture_with_its_heat_map(browser, paths, images, tmp_path):
    from selenium.webdriver.common.by import By

    picture = tmp_path / "clothes.png"
    Image.fromarray(images[0]).resize((56, 56)).save(picture)
    expected = serve.load(paths("pictures")).predict(images[:1])[0]
    with process(paths("pictures")) as (_, address, _):
        browser.get(address)
        browser.find_element(By.ID, "file").send_keys(str(picture))
        heading = browser.find_element(By.CSS_SELECTOR, "#tasks h2")
        assert heading.text == f"Prediction: {expected}"
        canvas = browser.find_element(By.ID, "picture")
        assert canvas.is_displayed()
        assert re.fullmatch(
            rf"The picture clothes\.png, predicted as {expected}\. The answer rests most on its \w+ \w+\.",
            canvas.get_attribute("aria-label"),
        )
        read = "return document.getElementById('picture').toDataURL()"
        with_heat = browser.execute_script(read)
        browser.find_element(By.ID, "heat").click()
        assert browser.execute_script(read) != with_heat
        width = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1]
        (tmp_path / "no.png").write_bytes(b"no picture")
        browser.find_element(By.ID, "file").send_keys(str(tmp_path / "no.png"))
        wait_for(lambda: "is no picture" in browser.find_element(By.ID, "wrong").text)
        wrong = [entry for entry in browser.get_log("browser") if "422" not in entry["message"]]
        assert not wrong


def test_the_page_answers_rows_in_the_dark(browser, paths):
    from selenium.webdriver.common.by import By

    def contrast(selector):
        """The contrast of text by WCAG 2, on the ground of the page."""
        code = """const style = getComputedStyle;
            return [style(document.querySelector(arguments[0])).color, style(document.body).backgroundColor]"""
        light = []
        for color in browser.execute_script(code, selector):
            rgb = np.array([int(part) for part in re.findall(r"\d+", color)[:3]]) / 255
            light.append(
                np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
            )
        return (max(light) + 0.05) / (min(light) + 0.05)

    with process(paths("table")) as (_, address, _):
        for scheme in ("light", "dark"):
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            browser.get(address)
            text = browser.find_element(By.ID, "text")
            wait_for(text.is_displayed)
            text.send_keys("[1.5, 0, 0]")
            browser.find_element(By.CSS_SELECTOR, "#words button").click()
            assert browser.find_element(By.CSS_SELECTOR, "#tasks h2").text == "Prediction: true"
            assert min(map(contrast, ("body", ".soft", "a", "#wrong"))) >= 4.5
            assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == (
                "rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 18, 18)"
            )


def wait_for(there):
    until = time.monotonic() + 20
    while not there():
        assert time.monotonic() < until
        time.sleep(0.05)
