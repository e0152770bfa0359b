"""Fixtures: Debian's Chromium, driven by Playwright, and pages of the console that are watched.

Whatever a test does, afterwards no page may have shown a dialog, thrown an error, been stopped by the content security
policy, run a script of somebody's data or asked anybody but this server for anything.
"""

from __future__ import annotations

import pathlib
import re
import shutil
from urllib.parse import quote

import axe_playwright_python
import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect, sync_playwright
from servers import ROOT, Tilde
from work import Team

PASSWORD = "correct horse battery"
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
AXE = pathlib.Path(axe_playwright_python.__file__).with_name("axe.min.js")
# Where pictures go, for people to look at.
PICTURES = ROOT / "target" / "browser"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
# What hostile data sets when it runs.
RAN = "window.ran"

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("chromium is not installed; cargo xtask test --provision does it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A browser's pages, and everything they did that they must not do."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.origin = origin
        self.wrongs: list[str] = []
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrongs.append(f"error: {error.error}"))
        context.on("request", self._asked)
        context.on("dialog", self._opened)

    def _said(self, message: ConsoleMessage) -> None:
        # What the server refuses is shown by the page; the browser tells of it here as well.
        told = "Failed to load resource" in message.text
        # A picture that is opened on its own stands in a page of the browser's, whose style the sandbox stops.
        frame = message.location["url"].startswith(f"{self.origin}/api/") and "inline style" in message.text
        if message.type == "error" and not told and not frame:
            self.wrongs.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        ours = (f"{self.origin}/", f"blob:{self.origin}/", "about:", "data:text/html,")
        if not request.url.startswith(ours):
            self.wrongs.append(f"request: {request.url}")

    def _opened(self, dialog) -> None:
        self.wrongs.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def server(start) -> Tilde:
    """A server whose first user can sign in."""
    return start(TILDE_BOOTSTRAP_PASSWORD=PASSWORD)


@pytest.fixture
def context(chromium, server: Tilde):
    """A browser that knows nobody."""
    context = chromium.new_context(base_url=server.url, viewport=WIDE, locale="en-US", color_scheme="light")
    context.add_init_script(path=AXE)
    yield context
    context.close()


@pytest.fixture(autouse=True)
def watched(context: BrowserContext, server: Tilde):
    """What the pages did wrong; there must be nothing left at the end."""
    watched = Watched(context, server.url)
    yield watched
    for page in context.pages:
        assert not page.evaluate(f"Boolean({RAN})"), f"data ran as a script at {page.url}"
    assert not watched.wrongs, "\n".join(watched.wrongs)


@pytest.fixture
def visitor(context: BrowserContext) -> Page:
    """A page of somebody who has not signed in."""
    return context.new_page()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of the first user, signed in."""
    answer = context.request.post("/api/v1/auth/login", data={"login": "admin", "password": PASSWORD})
    assert answer.ok, answer.text()
    return context.new_page()


def field(where: Page | Locator, label: str) -> Locator:
    """The input with this label; `optional` beside it does not count."""
    return where.get_by_label(re.compile(rf"^\s*{re.escape(label)}\s*(optional)?\s*$"))


def press(where: Page | Locator, name: str) -> None:
    """Clicks the button with exactly this name."""
    where.get_by_role("button", name=name, exact=True).click()


def stage(team: Team, objects: dict[str, tuple[str, bytes]], message: str) -> str:
    """A commit of objects with these types and bytes; its id."""
    session = team.http.post("sessions").json()["session_id"]
    for path, (content_type, body) in objects.items():
        query = f"object?session_id={session}&path={quote(path, safe='')}"
        put = team.http.put(query, content=body, headers={"content-type": content_type})
        assert put.status_code == 201, put.text
    done = team.http.post(f"sessions/{session}", json={"message": message})
    assert done.is_success, done.text
    return done.json()["commit_id"]
