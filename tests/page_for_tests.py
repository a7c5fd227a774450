"""The page in a real browser: headless Chromium, and the app on a port of this machine.

`conftest.py` hands the fixtures to all tests. Where there is no Chromium, tests of the page are left out, and say so.
"""

from __future__ import annotations

import base64
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sleevenotes.publish.web.service import Service

CHROMIUM = "SLEEVENOTES_CHROMIUM"  # names another executable
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
HOST = "127.0.0.1"
PATIENCE_MS = 20_000  # other work may be on the machine
WIDTHS = {"phone": (390, 844), "laptop": (1280, 800), "projector": (1920, 1080)}

Open = Callable[..., Any]


@contextmanager
def page_of(service: Service) -> Iterator[str]:
    """Serve a model and a dataset from a thread, and give the page's address."""
    from sleevenotes.publish.web.app import make_app  # only tests of the page need FastAPI
    from sleevenotes.publish.web.limits import Limits
    from sleevenotes.publish.web.running import hosts_of, listening, serving

    ready = threading.Event()
    with closing(listening(HOST, 0)) as listener:
        server = serving(make_app(service, Limits(), hosts=hosts_of(HOST)), Limits(), ready.set)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert ready.wait(PATIENCE_MS / 1000)
            yield f"http://{HOST}:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, the one that the machine has.

    For one module at a time: while Playwright is there, an event loop runs in this thread, and no other can.
    """
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not there: `pip install -e .[dev]`")
    found = os.environ.get(CHROMIUM) or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine: `apt-get install chromium`, or name one in {CHROMIUM}")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Open an address in a window of its own; at the end, nothing may have gone wrong in it that nobody expected.

    `opened(address, width="phone", colors="dark")` gives a Playwright page. What it fetched from elsewhere, what broke
    the rules for its content, and errors of its scripts fail the test.
    """
    contexts, faults = [], []

    def open_page(address: str, *, width: str = "laptop", colors: str = "light", motion: str = "reduce") -> Any:
        wide, high = WIDTHS[width]
        context = browser.new_context(
            viewport={"width": wide, "height": high}, color_scheme=colors, reduced_motion=motion
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        root = "/".join(address.split("/")[:3])
        page.on("pageerror", lambda error: faults.append(f"script: {error}"))
        page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((root, "data:", "blob:")) else faults.append(asked.url),
        )
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def drop(page: Any, *files: Path | tuple[str, bytes]) -> None:
    """Drop files on the page, as a hand would."""
    _bring(
        page,
        """held => {
             for (const name of ["dragenter", "dragover", "drop"]) {
               const event = new DragEvent(name, {dataTransfer: held, bubbles: true, cancelable: true});
               document.querySelector("main").dispatchEvent(event);
             }
           }""",
        files,
    )


def paste(page: Any, *files: Path | tuple[str, bytes]) -> None:
    """Paste files, as from a clipboard."""
    _bring(
        page,
        """held => {
             const event = new ClipboardEvent("paste", {clipboardData: held, bubbles: true, cancelable: true});
             document.body.dispatchEvent(event);
           }""",
        files,
    )


def _bring(page: Any, how: str, files: tuple[Path | tuple[str, bytes], ...]) -> None:
    page.wait_for_selector(".screen-judge .sleeve")
    named = [(each.name, each.read_bytes()) if isinstance(each, Path) else each for each in files]
    held = page.evaluate_handle(
        """files => {
             const held = new DataTransfer();
             for (const [name, data] of files) {
               const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
               held.items.add(new File([bytes], name, {type: "image/png"}));
             }
             return held;
           }""",
        [[name, base64.b64encode(data).decode("ascii")] for name, data in named],
    )
    held.evaluate(how)


def until(page: Any, script: str, argument: object = None) -> Any:
    """Return what a script gives, as soon as it is true of anything.

    Playwright's own way to wait for a script evaluates it within the page, whose rules forbid that.
    """
    for _ in range(PATIENCE_MS // 40):
        if found := page.evaluate(script, argument):
            return found
        page.wait_for_timeout(40)
    raise AssertionError(f"{script}: never came true")


def overhear(page: Any) -> None:
    """Keep what the page sends to `predict` from now on; `heard` gives it."""
    page.evaluate(
        """() => {
             const {fetch} = window;
             window.heard = [];
             window.fetch = async (address, options) => {
               if (address.includes("/predict")) {
                 const data = new Uint8Array(await options.body.get("file").arrayBuffer());
                 window.heard.push(btoa(Array.from(data, byte => String.fromCharCode(byte)).join("")));
               }
               return fetch(address, options);
             };
           }"""
    )


def heard(page: Any) -> bytes:
    """Return the last file that was sent to `predict`, waiting for one."""
    return base64.b64decode(until(page, "window.heard.at(-1)"))


def axe_finds(page: Any) -> list[str]:
    """Return what axe finds wrong that is serious or worse, each in a line with the first element that has it."""
    import axe_playwright_python

    # by evaluating, not as an element of the page, whose rules forbid that
    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:300]}" for each in serious]
