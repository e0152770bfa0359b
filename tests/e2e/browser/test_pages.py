"""Every page as people see it: a picture of each in light and dark, wide and on a phone, none of which scrolls sideways
or breaks a rule of WCAG 2.2 AA that axe-core can check. The pictures are left in target/browser.
"""

from __future__ import annotations

import io
import json
import shutil
import zlib

import httpx
import pandas
import pytest
from conftest import NARROW, PICTURES, WIDE, press, stage
from playwright.sync_api import Page, expect
from servers import S3
from work import Team, good

# A page's name, where it is, and what is there once it is complete.
Place = tuple[str, str, str]

AXE = """async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
    const found = await axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })
    const node = ({ target, any, all }) => `${target.join(' ')}: ${[...any, ...all].map(one => one.message)}`
    return found.violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(one => `${id}: ${node(one)}`))
}"""
README = """# Weather stations

Hourly measurements of 40 stations, one file a year.

| column | unit | meaning |
|---|---|---|
| `station` | | id in stations.json |
| `celsius` | °C | temperature, 2 m above ground |

Read it with `pandas.read_parquet`. **Gaps** are left empty.
"""


def png(width: int, height: int) -> bytes:
    """A picture: a gradient."""
    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 120)) for x in range(width)) for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def parquet() -> bytes:
    frame = pandas.DataFrame({
        "station": [f"ST{n % 40:03}" for n in range(2_000)],
        "at": pandas.date_range("2024-01-01", periods=2_000, freq="h"),
        "celsius": [round(10 + n % 17 - n % 5 / 3, 2) for n in range(2_000)],
        "valid": [n % 7 != 0 for n in range(2_000)],
    })
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


def csv(year: int) -> bytes:
    lines = [f"ST{n % 40:03},{year}-01-{n % 28 + 1:02},{n % 30 - 5}.{n % 10},\"fine, mostly\"" for n in range(2_000)]
    return "\n".join(["station,day,celsius,note", *lines]).encode()


STATIONS = {f"ST{n:03}": {"name": f"Station {n}", "height_m": n * 13, "at": [47.1 + n / 10, 8.2]} for n in range(40)}


@pytest.fixture
def places(team: Team, moto: S3) -> list[Place]:
    """A team with some history, and where there is something to see of it."""
    objects = {f"raw/{year}.csv": csv(year) for year in range(2018, 2025)}
    objects |= {"raw/2024.parquet": parquet(), "raw/notes/todo.txt": b"check ST017\ncheck ST031\n"}
    moto.bucket(objects, name="weather-archive")
    connector = team.connector(moto, "s3://weather-archive/", name="weather-archive")
    done = team.run_import(connector, "", commit_message="Import the archive")
    files = {
        "README.md": ("text/markdown", README.encode()),
        "stations.json": ("application/json", json.dumps(STATIONS, indent=1).encode()),
        "map.png": ("image/png", png(320, 200)),
        "raw/notes/todo.txt": ("text/plain", b"check ST017\ncheck ST032 and ST033\n"),
    }
    last = stage(team, files, "Describe the stations\n\nThe map is of 2024.")
    failed = team.start(team.connector(moto, "s3://weather-archive-old/", name="archive-old"), "old/")
    team.finish(failed)
    looked = team.start(connector, "again/", dry_run=True)
    team.finish(looked)
    team.server.add_user("ann")
    team.organization.members.create("ann")
    good(team.server.http().post("auth/keys", json={"name": "nightly-import", "description": "on the build server"}))
    team.organization.repositories.create("empty-one", description="Nothing here yet")
    code = good(httpx.post(f"{team.server.api}/auth/device/code"))["user_code"]
    repo = "/my-team/my-data"
    return [
        ("repositories", "/my-team", "Describe the stations"),
        ("repository", repo, "Hourly measurements"),
        ("empty", "/my-team/empty-one", "No data yet"),
        ("folder", f"{repo}/tree/head/raw", "2018.csv"),
        ("object-csv", f"{repo}/object/head/raw/2024.csv", "fine, mostly"),
        ("object-json", f"{repo}/object/head/stations.json", "40 keys"),
        ("object-parquet", f"{repo}/object/head/raw/2024.parquet", "2,000 rows"),
        ("object-picture", f"{repo}/object/head/map.png", "320 × 200 pixels"),
        ("object-text", f"{repo}/object/head/raw/notes/todo.txt", "as it was"),
        ("commits", f"{repo}/commits", "Import the archive"),
        ("commit", f"{repo}/commits/{last}", "The map is of 2024."),
        ("compare", f"{repo}/compare/{done.commit_id}..{last}", "todo.txt"),
        ("imports", f"{repo}/imports", "completed"),
        ("import", f"{repo}/imports/{done.id}", "It landed as one commit."),
        ("import-failed", f"{repo}/imports/{failed.id}", "The import failed."),
        ("import-look", f"{repo}/imports/{looked.id}", "again/raw/2018.csv"),
        ("import-new", f"{repo}/imports/new", "Look before you copy"),
        ("settings", f"{repo}/settings", "weather-archive"),
        ("connectors", "/my-team/connectors", "weather-archive"),
        ("connector", f"/my-team/connectors/{connector.id}", "Attached to"),
        ("connector-new", "/my-team/connectors/new", "Secret access key"),
        ("all-imports", "/my-team/imports", "completed"),
        ("members", "/my-team/members", "ann"),
        ("keys", "/my-team/keys", "nightly-import"),
        ("audit", "/my-team/audit", "admin"),
        ("account", "/account", "admin"),
        ("device", f"/device?user_code={code}", code),
        ("nothing", f"{repo}/what-is-this/x", ""),
    ]


def look(page: Page, name: str) -> list[str]:
    """Takes the four pictures; what is wrong with the page."""
    wrong: list[str] = []
    for size, viewport in (("wide", WIDE), ("narrow", NARROW)):
        page.set_viewport_size(viewport)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=PICTURES / f"{name}-{size}-{scheme}.png", full_page=True)
            wrong += [f"{name}, {size}, {scheme}: {what}" for what in page.evaluate(AXE)]
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > viewport["width"]:
            wrong.append(f"{name}, {size}: it scrolls sideways, being {width} px wide")
    page.set_viewport_size(WIDE)
    return wrong


def test_every_page_is_good_to_look_at(page: Page, places: list[Place]) -> None:
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    wrong: list[str] = []
    for name, address, complete in places:
        page.goto(address)
        expect(page.locator("main")).to_contain_text(complete, ignore_case=True)
        expect(page.locator(".waiting")).to_have_count(0)
        if name == "compare":
            press(page, "Compare todo.txt")
            expect(page.get_by_role("region", name="Side by side")).to_contain_text("ST032")
        wrong += look(page, name)
    for name, address, button in (
        ("dialog-upload", "/my-team/my-data", "Upload"), ("dialog-key", "/my-team/keys", "New key"),
        ("dialog-help", "/my-team", "Help"),
    ):
        page.goto(address)
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        wrong += look(page, name)
    assert not wrong, "\n".join(wrong)


def test_the_first_pages_are_too(visitor: Page, page: Page) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.goto("/")
    expect(page.get_by_text("Begin with an organization")).to_be_visible()
    wrong = look(page, "first-visit")
    visitor.context.clear_cookies()
    visitor.goto("/")
    expect(visitor.get_by_text("Sign in to Tilde")).to_be_visible()
    wrong += look(visitor, "sign-in")
    assert not wrong, "\n".join(wrong)
    # What is looked for is found where it is.
    visitor.evaluate("document.body.append(document.createElement('img'))")
    assert any("image-alt" in what for what in visitor.evaluate(AXE))
