"""Take pictures of every screen of the page, for docs/screens/: light and dark, on a phone, a laptop and a projector.

python docs/make_screens.py OUT [FOLDER]

OUT is what `sleevenotes run --demo -o OUT` has made, so that the pictures show drawn covers and nobody's artwork. It
needs playwright and a Chromium. What is served is a copy of OUT, as a round of the game is played in it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIZES = {390: 844, 1280: 800, 1920: 1080}
SCHEMES = ("light", "dark")
QUALITY = 72
PATIENCE_MS = 90_000
SETTLED_MS = 500  # for bars and pictures to come to rest


@contextmanager
def served(out: Path) -> Iterator[str]:
    """Serve a copy of what `run` has made, and give its address."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "out"
        shutil.copytree(out, copy, symlinks=True)
        words = [sys.executable, "-m", "sleevenotes", "serve", str(copy / "model"), "--port", "0"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"http://\S+", line):
                    yield found[0]
                    return
            raise SystemExit("The server did not start.")
        finally:
            process.terminate()
            process.wait(timeout=30)


def screens(page: Any, address: str, cover: Path) -> Iterator[str]:
    """Go from screen to screen, and give each one's name where it can be looked at."""
    page.goto(f"{address}#/judge")
    page.wait_for_selector(".intake")
    yield "judge"
    page.set_input_files("input[type=file] >> nth=0", cover)
    page.wait_for_selector(".shelf img")
    yield "verdict"
    page.click(".bars button >> nth=0")
    page.wait_for_selector(".map-control:visible")
    page.click("text=Mask a region")
    box = page.locator(".masks").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.6 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.9 * box["height"], steps=5)
    page.mouse.up()
    page.wait_for_selector(".judge-moved")
    yield "what-if"
    page.goto(f"{address}#/browse")
    page.wait_for_selector("[role=gridcell] img")
    yield "browse"
    page.click("[role=gridcell] a >> nth=0")
    page.wait_for_selector(".alike img")
    yield "cover"
    page.goto(f"{address}#/map")
    page.wait_for_selector("canvas")
    page.wait_for_timeout(4 * SETTLED_MS)
    yield "map"
    page.goto(f"{address}#/model")
    page.wait_for_selector("table")
    yield "model"
    page.goto(f"{address}#/play")
    page.fill("input[name=nickname]", "Ada")
    page.keyboard.press("Enter")
    page.wait_for_selector(".play-genre")
    yield "play"
    keys = min(9, page.locator(".play-genre").count())
    for number in range(10):
        page.wait_for_selector(".play-genre:not([aria-disabled])")
        page.keyboard.press(str(1 + number % keys))
        page.wait_for_selector(".play-next")
        if number == 1:
            yield "answered"
        page.keyboard.press("Enter")
    page.wait_for_selector(".play-answers")
    yield "result"


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "screens")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    asked = parser.parse_args()
    cover = next(path for path in sorted((asked.out / "dataset" / "images").rglob("*.*")) if path.is_file())
    asked.folder.mkdir(parents=True, exist_ok=True)
    with served(asked.out) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox", "--disable-gpu"])
        for scheme in SCHEMES:
            for width, height in SIZES.items():
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=width < 500
                )
                page.set_default_timeout(PATIENCE_MS)
                for name in screens(page, address, cover):
                    page.wait_for_timeout(SETTLED_MS)
                    path = asked.folder / f"{name}-{width}-{scheme}.jpg"
                    page.screenshot(path=path, type="jpeg", quality=QUALITY)
                    print(path)
                page.close()


if __name__ == "__main__":
    main()
