"""Names and contents that want to be more than data: they are shown for what they are, and nothing of them runs. That no
script ran, nothing was asked of anybody else and the policy had nothing to stop is judged by the fixture of the browser.
"""

from __future__ import annotations

import pytest
from conftest import RAN, Watched, field, press, stage
from playwright.sync_api import BrowserContext, Error, Page, expect
from work import Team, good

RUN = f"{RAN}=1"
ELSEWHERE = "https://elsewhere.invalid"
HTML = f"<html><body onload='{RUN}'><script>{RUN};alert(1)</script><img src='{ELSEWHERE}/a.png'></body></html>"
SVG = f"<svg xmlns='http://www.w3.org/2000/svg' onload='{RUN}'><script>{RUN}</script>" \
    f"<image href='{ELSEWHERE}/b.png'/></svg>"
MARKDOWN = f"""# Read <script>{RUN}</script> me

[a link](javascript:{RUN}) ![a picture]({ELSEWHERE}/c.png) <img src=x onerror="{RUN}">
[data](data:text/html,<script>{RUN}</script>) <iframe src="{ELSEWHERE}"></iframe>
"""
TABLE = f"<script>{RUN}</script>,=cmd|' /C calc'!A0\n<img src=x onerror={RUN}>,\u202eabc\n"
TREE = f'{{"<script>{RUN}</script>": "<img src=x onerror={RUN}>", "__proto__": 1}}'
# Keys, and how the console writes each where it lists them.
NAMES = {
    f"<script>{RUN}</script>": f"<script>{RUN}<",
    f"\"><img src=x onerror={RUN}>.txt": f"\"><img src=x onerror={RUN}>.txt",
    f"javascript:{RUN}": f"javascript:{RUN}",
    "invoice\u202efdp.exe": "invoiceU+202Efdp.exe",
    "zero\u200bwidth": "zeroU+200Bwidth",
    "line\nbreak": "line\\nbreak",
    "{{7*7}}${7*7}": "{{7*7}}${7*7}",
    "?query#fragment": "?query#fragment",
    "%2e%2e%2fup": "%2e%2e%2fup",
}
CONTENTS = {
    "page.html": ("text/html", HTML.encode()),
    "page.svg": ("image/svg+xml", SVG.encode()),
    "picture.png": ("image/png", SVG.encode()),
    "page.xhtml": ("application/xhtml+xml", HTML.encode()),
    "README.md": ("text/markdown", MARKDOWN.encode()),
    "table.csv": ("text/csv", TABLE.encode()),
    "tree.json": ("application/json", TREE.encode()),
    "broken.parquet": ("application/octet-stream", b"PAR1" + bytes(64) + b"PAR1"),
    "plain.txt": (f"text/html; x=\"<script>{RUN}</script>\"", HTML.encode()),
}
MESSAGE = f"<script>{RUN}</script> \"><img src=x onerror={RUN}> \u202edesrever\n\n<b>bold</b>"


@pytest.fixture
def commit(team: Team) -> str:
    """A commit of all that is hostile."""
    names = {name: ("text/plain", b"text") for name in NAMES}
    return stage(team, names | CONTENTS, MESSAGE)


def test_names_are_shown_for_what_they_are(page: Page, team: Team, commit: str) -> None:
    page.goto("/my-team/my-data")
    expect(page.get_by_text("plain.txt")).to_be_visible()
    text = page.locator("main").inner_text()
    for shown in NAMES.values():
        assert shown in text, f"{shown} is not in\n{text}"
    for name in NAMES:
        if name.endswith("</script>"):  # its slash makes it a folder
            continue
        page.goto("/my-team/my-data")
        page.locator("main [data-row]").filter(has_text=NAMES[name]).click()
        expect(page.get_by_role("region", name="Provenance")).to_be_visible()
        expect(page.locator(".text-lines")).to_have_text("text")
        page.reload()
        expect(page.locator(".text-lines")).to_have_text("text")
    page.goto("/my-team/my-data/tree/head/<script>window.ran=1<")
    expect(page.locator("main")).to_contain_text("script>")


def test_contents_are_previewed_and_not_run(page: Page, team: Team, commit: str) -> None:
    for path, (_, body) in CONTENTS.items():
        page.goto(f"/my-team/my-data/object/head/{path}")
        expect(page.get_by_role("region", name="Provenance")).to_be_visible()
        expect(page.locator(".preview, .note").last).to_be_visible()
        if path != "broken.parquet":
            expect(page.locator("main")).to_contain_text("<script>" if path != "page.svg" else "onload")
        assert page.locator("main iframe, main object, main embed, main script").count() == 0
        assert page.locator("main img:not([src^='blob:'])").count() == 0
        for href in page.locator("main a").evaluate_all("links => links.map(link => link.href)"):
            assert href.startswith(("http://127.0.0.1", ELSEWHERE)), href


def test_objects_opened_on_their_own_run_nothing(page: Page, context: BrowserContext, team: Team, commit: str) -> None:
    for path in CONTENTS:
        link = f"/api/v1/organizations/my-team/repositories/my-data/object?path={path}"
        for address in (link, f"{link}&presign=true"):
            other = context.new_page()
            try:
                other.goto(address)
            except Error as error:
                assert "Download is starting" in str(error), error
            else:
                assert path == "picture.png", f"{path} was opened in place"
            assert not other.evaluate(f"Boolean({RAN})")
            other.close()


def test_messages_names_and_errors_are_text(page: Page, team: Team, commit: str, moto) -> None:
    hostile = f"<img src=x onerror={RUN}>"
    team.commit({"second.txt": b"2"}, message=MESSAGE)
    good(team.server.http().put("organizations/my-team/repositories/my-data", json={"description": hostile}))
    connector = {
        "name": hostile, "type": "s3", "source_uri": f"s3://bucket/{hostile}/", "config": moto.config(),
    }
    http = team.server.http()
    made = http.post("organizations/my-team/connectors", json=connector)
    for address in (
        "/my-team", "/my-team/my-data", "/my-team/my-data/commits", f"/my-team/my-data/commits/{commit}",
        f"/my-team/my-data/compare/{commit}..head", "/my-team/my-data/settings", "/my-team/connectors",
        "/my-team/audit", f"/my-team/connectors/{made.json().get('id', 'x')}",
        f"/my-team/<script>{RUN}</script>", f"/device?user_code=<script>{RUN}</script>",
        f"/my-team/my-data/imports/new?message={hostile}&destination={hostile}", "/%ff%fe/..%2f/<svg onload=1>",
    ):
        page.goto(address)
        expect(page.locator("main")).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.locator("main img, main svg[onload], main b b").count() == 0, address
    page.goto("/any/keys")
    press(page, "New key")
    field(page, "Name").fill(hostile)
    press(page, "Make the key")
    expect(page.get_by_role("dialog")).to_contain_text(hostile)


def test_the_policy_holds(page: Page, context: BrowserContext, watched: Watched) -> None:
    page.goto("/")
    answer = context.request.get("/", headers={"accept": "text/html"})
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    # What the policy forbids is really forbidden in this browser: a script of a page's own text does not run.
    page.evaluate("""() => {
        window.stopped = 0
        addEventListener('securitypolicyviolation', () => { window.stopped += 1 })
        const script = document.createElement('script')
        script.textContent = 'window.inline = 1'
        document.body.append(script)
    }""")
    page.wait_for_function("window.stopped === 1")
    assert not page.evaluate("Boolean(window.inline)")
    assert len(watched.wrongs) == 1 and "inline script" in watched.wrongs.pop()
