"""What people do in the console, from signing in to taking a commit back: each against a running server and, where
there is a source, a real one.
"""

from __future__ import annotations

import re

import httpx
from conftest import PASSWORD, PICTURES, field, press
from playwright.sync_api import Page, expect
from servers import SECRET_KEY, Tilde, wait_until
from work import Team, good


def test_signing_in_and_out(visitor: Page, server: Tilde, team: Team) -> None:
    visitor.goto("/my-team/my-data/commits")
    expect(visitor).to_have_title(re.compile("Sign in"))
    field(visitor, "Username or email").fill("admin")
    field(visitor, "Password").fill("wrong password")
    press(visitor, "Sign in")
    expect(visitor.get_by_text("do not go together")).to_be_visible()
    field(visitor, "Password").fill(PASSWORD)
    press(visitor, "Sign in")
    # The address that was asked for is the one that is shown.
    expect(visitor).to_have_url(f"{server.url}/my-team/my-data/commits")
    expect(visitor.get_by_role("heading", name="my-data")).to_be_visible()
    visitor.reload()
    expect(visitor.get_by_role("heading", name="my-data")).to_be_visible()
    visitor.goto("/account")
    press(visitor, "Sign out")
    expect(field(visitor, "Password")).to_be_visible()
    assert not [cookie for cookie in visitor.context.cookies() if cookie["value"]]


def test_from_nothing_to_an_import(page: Page, server: Tilde, radosgw, slow) -> None:
    parts = {f"2024/part-{n:02}.csv": b"id,n\n" + f"{n},{n}\n".encode() * 12_000 for n in range(60)}
    bucket = radosgw.bucket(parts | {"2025/later.csv": b"id\n1\n"}, name="sensor-archive")
    proxy = slow(radosgw.endpoint, 0, 700_000)
    page.goto("/")
    field(page, "Name").fill("Data Team")
    expect(field(page, "Name in addresses")).to_have_value("data-team")
    press(page, "Create the organization")
    expect(page).to_have_url(f"{server.url}/data-team")

    page.get_by_role("button", name="New repository").click()
    field(page, "Name").fill("measurements")
    press(page, "Create the repository")
    expect(page.get_by_text("No data yet")).to_be_visible()

    page.goto("/data-team/connectors/new")
    field(page, "Name").fill("production-s3")
    field(page, "Location").fill(f"s3://{bucket}/")
    for label, value in radosgw.config(endpoint=proxy.url, secret_access_key="wrong").items():
        words = {"access_key_id": "Access key id", "secret_access_key": "Secret access key", "endpoint": "Endpoint"}
        field(page, words[label]).fill(value)
    press(page, "Test the connection")
    expect(page.get_by_text("Authenticate: failed")).to_be_visible()
    expect(page.locator(".step").nth(0)).to_contain_text("done")
    expect(page.locator(".step").nth(2)).to_contain_text("not tried")
    field(page, "Secret access key").fill(SECRET_KEY)
    press(page, "Test the connection")
    for step in range(4):
        expect(page.locator(".step").nth(step)).to_contain_text("done")
    press(page, "Create the connector")
    expect(page.get_by_role("heading", name="production-s3")).to_be_visible()
    assert SECRET_KEY not in page.content()

    page.goto("/data-team/measurements/settings")
    press(page, "Attach")
    expect(page.get_by_role("row", name=re.compile("production-s3"))).to_be_visible()

    page.goto("/data-team/measurements/imports/new")
    field(page, "Only below").fill("2024/")
    field(page, "Destination").fill("imported/")
    field(page, "Message of the commit").fill("Bring in 2024")
    press(page, "Look first (dry run)")
    look = page.get_by_role("region", name="The source")
    expect(look.get_by_text("60 objects")).to_be_visible()
    expect(look.get_by_text("imported/part-00.csv")).to_be_visible()
    press(page, "Start the import")

    # Live: the figures move without the page being loaded again.
    page.evaluate("window.same = true")
    run = page.get_by_role("region", name="Progress")
    expect(run.get_by_role("progressbar")).to_be_visible()
    expect(run.get_by_text(re.compile(r"/ 60.* objects"))).to_be_visible()
    expect(run.get_by_text(re.compile(r"now \d+ [kM]B/s"))).to_be_visible()
    seen = set()
    wait_until(lambda: seen.add(run.locator(".run-figures").first.inner_text()) or len(seen) > 4, 20, "progress")
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "import-live.png")
    expect(page.get_by_text("It landed as one commit.")).to_be_visible(timeout=60_000)
    assert page.evaluate("window.same")
    expect(run.get_by_text("60 objects", exact=False).first).to_be_visible()

    page.get_by_role("link", name="Browse it").click()
    expect(page.get_by_text("60 here")).to_be_visible()
    page.get_by_role("searchbox").fill("part-5")
    expect(page.get_by_text("10 here")).to_be_visible()
    page.get_by_role("link", name="part-59.csv").click()
    facts = page.get_by_role("region", name="Provenance")
    expect(facts).to_contain_text(f"s3://{bucket}/2024/part-59.csv")
    expect(facts).to_contain_text("production-s3")
    page.goto("/data-team/measurements/imports")
    expect(page.get_by_role("row", name=re.compile("completed.*admin|admin.*completed")).first).to_be_visible()

    # Again with the same settings: nothing has changed, so nothing is fetched.
    page.locator("main [data-row]").first.click()
    page.get_by_role("link", name="Run again").click()
    expect(field(page, "Destination")).to_have_value("imported/")
    press(page, "Start the import")
    expect(page.get_by_text("carried 60")).to_be_visible()
    expect(page.get_by_text("It landed as one commit.")).to_be_visible()


def test_an_import_that_is_canceled_or_fails_says_so(page: Page, server: Tilde, team: Team, moto, slow) -> None:
    bucket = moto.bucket({f"k{n}": bytes(200_000) for n in range(20)})
    proxy = slow(moto.endpoint, 0, 400_000)
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url)
    job = team.start(connector, "in/")
    page.goto(f"/my-team/my-data/imports/{job.id}")
    press(page, "Cancel")
    press(page.get_by_role("dialog"), "Cancel the import")
    expect(page.get_by_text("The import was canceled.")).to_be_visible()
    gone = team.connector(moto, "s3://there-is-no-such-bucket/", name="gone")
    job = team.start(gone, "in/")
    page.goto(f"/my-team/my-data/imports/{job.id}")
    expect(page.get_by_text("The import failed. Nothing of it is visible.")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Copy the error")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_comparing_and_reverting(page: Page, team: Team) -> None:
    first = team.commit({"notes.txt": b"one\ntwo\nthree\n", "gone.txt": b"x"}, message="Begin")
    second = team.commit({"notes.txt": b"one\n2\nthree\n", "new/a.csv": b"id\n1\n"}, "gone.txt", message="Edit")
    page.goto("/my-team/my-data/commits")
    moment = page.locator(".moment").filter(has_text="Edit")
    expect(moment).to_contain_text(re.compile(r"\+1.*~1.*[-−]1", re.DOTALL))
    page.goto(f"/my-team/my-data/compare/{first}..{second}")
    for path in ("notes.txt", "gone.txt", "a.csv"):
        expect(page.get_by_text(path).first).to_be_visible()
    press(page, "Compare notes.txt")
    sides = page.get_by_role("region", name="Side by side")
    expect(sides).to_contain_text("two")
    expect(sides).to_contain_text("-2 B".replace("-", "\u2212"))

    page.goto(f"/my-team/my-data/commits/{second}")
    press(page, "Revert")
    dialog = page.get_by_role("dialog")
    field(dialog, "Message").fill("Take it back")
    press(dialog, "Revert")
    expect(page.get_by_role("heading", name="Take it back")).to_be_visible()
    assert team.content() == {"gone.txt": b"x", "notes.txt": b"one\ntwo\nthree\n"}


def test_uploading_and_deleting(page: Page, team: Team, tmp_path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(range(256)) * 80_000)
    small = tmp_path / "small \u00fc.txt"
    small.write_text("hello\n")
    page.goto("/my-team/my-data")
    press(page, "Upload")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Files").set_input_files([large, small])
    field(dialog, "Message of the commit").fill("Two files")
    dialog.get_by_role("button", name=re.compile("^Commit 2 files")).click()
    expect(page.get_by_text("small \u00fc.txt")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Two files")).to_be_visible()
    assert team.content() == {"large.bin": large.read_bytes(), "small \u00fc.txt": b"hello\n"}

    page.get_by_role("checkbox", name="Select large.bin").check()
    press(page, "Delete 1")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^(Delete|Commit)")).click()
    expect(page.get_by_role("checkbox", name="Select large.bin")).to_have_count(0)
    assert set(team.content()) == {"small \u00fc.txt"}


def test_a_key_is_shown_once(page: Page, server: Tilde) -> None:
    page.goto("/any/keys")
    press(page, "New key")
    dialog = page.get_by_role("dialog")
    field(dialog, "Name").fill("nightly-import")
    press(dialog, "Make the key")
    token = page.locator(".secret").inner_text().strip()
    assert good(server.http(token).get("auth/me"))["user"]["username"] == "admin"
    press(dialog, "Close")
    expect(page.get_by_text(f"…{token[-4:]}")).to_be_visible()
    assert token not in page.content()
    page.reload()
    expect(page.get_by_text("nightly-import")).to_be_visible()
    assert token not in page.content()
    press(page, "Revoke nightly-import")
    press(page.get_by_role("dialog"), "Revoke")
    expect(page.get_by_text("nightly-import")).to_have_count(0)
    assert server.http(token).get("auth/me").status_code == 401


def test_members(page: Page, server: Tilde, team: Team) -> None:
    key = server.add_user("ann")
    page.goto("/my-team/members")
    press(page, "Add a member")
    dialog = page.get_by_role("dialog")
    field(dialog, "Username").fill("nobody")
    press(dialog, "Add")
    expect(dialog.get_by_role("alert")).to_be_visible()
    field(dialog, "Username").fill("ann")
    press(dialog, "Add")
    expect(page.get_by_role("row", name=re.compile("^ann"))).to_be_visible()
    assert server.http(key).get("organizations/my-team").status_code == 200
    press(page, "Remove ann")
    press(page.get_by_role("dialog"), "Remove")
    expect(page.get_by_role("row", name=re.compile("^ann"))).to_have_count(0)
    assert server.http(key).get("organizations/my-team").status_code == 404


def test_a_command_line_is_let_in(page: Page, server: Tilde) -> None:
    code = good(httpx.post(f"{server.api}/auth/device/code"))
    page.goto(code["verification_uri_complete"])
    expect(page.get_by_label("Code", exact=True)).to_have_text(code["user_code"])
    press(page, "Confirm, as admin")
    expect(page.get_by_text("The command line is signed in.")).to_be_visible()
    granted = good(httpx.post(f"{server.api}/auth/device/token", json={"device_code": code["device_code"]}))
    assert good(server.http(granted["access_token"]).get("auth/me"))["user"]["username"] == "admin"
    page.goto("/device?user_code=BCDF-GHJK")
    press(page, "Confirm, as admin")
    expect(page.get_by_text("No terminal waits with this code.")).to_be_visible()


def test_by_keyboard(page: Page, team: Team) -> None:
    team.commit({"a/one.txt": b"1", "b/two.txt": b"2", "c.txt": b"3"}, message="Three")
    page.goto("/my-team/my-data")
    expect(page.get_by_role("link", name="c.txt")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="a/")).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="b/")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="one.txt")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_role("link", name="c.txt")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("c")
    expect(page.get_by_role("link", name="a/")).to_have_count(0)
    expect(page.get_by_role("link", name="c.txt")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next row")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Connectors")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("link", name="c.txt")).to_be_visible()
