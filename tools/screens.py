"""Make the pictures of the README from the embedded sample: a report in a browser, and a run in a terminal.

Run ``python tools/screens.py`` from the root of the repository; it needs Chromium and chromedriver. The pictures go to
``docs/images``.
"""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text
from selenium import webdriver

from skltransfer import TransferClassifier, report
from skltransfer.datasets import load_fashion_sample

IMAGES = Path(__file__).parent.parent / "docs" / "images"
WIDTH, HEIGHT = 1100, 1560
LARGEST = 300_000
"""Bytes of a picture."""
COLUMNS = 100


def main() -> None:
    """Make both pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = fashion_report(Path(folder))
        save(screenshot(page), IMAGES / "report.png")
        command = ["skltransfer", "demo"]
        terminal(run_of(command, Path(folder)), " ".join(command), IMAGES / "demo.svg")


def fashion_report(folder: Path) -> Path:
    """Fit a classifier to the embedded sample, and write its report."""
    sample = load_fashion_sample()
    clf = TransferClassifier().fit(sample.images, sample.target)
    return report(clf, sample.images_test, sample.target_test, folder / "report.html", title="Fashion-MNIST")


def screenshot(page: Path) -> Image.Image:
    """Open a page in a headless Chromium, and take a picture of its upper part."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        screen = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        driver.get(page.as_uri())
        return Image.open(io.BytesIO(base64.b64decode(driver.get_screenshot_as_base64()))).convert("RGB")
    finally:
        driver.quit()


def save(image: Image.Image, path: Path) -> None:
    """Write a picture as a PNG file of few colors.

    Raises
    ------
    ValueError
        If it is still too large.
    """
    image.quantize(192, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size} bytes. Expected at most {LARGEST}; lower HEIGHT.")


def run_of(command: list[str], folder: Path) -> str:
    """Return what a command of the package writes to a terminal, with its colors."""
    wide = os.environ | {"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = [sys.executable, "-m", *command]
    return subprocess.run(run, cwd=folder, env=wide, check=True, capture_output=True).stdout.decode()


def left_standing(text: str) -> list[str]:
    r"""Return the lines that a terminal shows in the end, where some were erased and written again.

    Examples
    --------
    >>> left_standing("one\ntwo\n\x1b[1A\x1b[2Kthree")
    ['one', 'three']
    """
    lines, row = [""], 0
    for part in re.split(r"(\n|\r|\x1b\[\d*A|\x1b\[\d?K|\x1b\[\?25[lh])", text):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row = max(0, row - int(part[2:-1] or 1))
        elif part == "\r" or (part.startswith("\x1b[") and part.endswith("K")):
            lines[row] = ""
        elif not part.startswith("\x1b[?25"):
            lines[row] += part
    while not lines[-1].strip():
        lines.pop()
    return lines


def terminal(text: str, command: str, path: Path) -> None:
    """Draw what a command wrote, below the command, as a window of a terminal.

    Parameters
    ----------
    text : str
        With escape codes of colors; of progress bars, the last state is drawn.
    command : str
        The command, as it was typed.
    path : pathlib.Path
        The SVG file.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi("\n".join(left_standing(text))))
    drawn = console.export_svg(title=command)
    path.write_text(re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL))  # fonts of another host


if __name__ == "__main__":
    main()
