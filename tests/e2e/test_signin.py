"""Signing in with a browser: cookies, CSRF, logout, passwords, lockout; and what a user may change of themselves."""

from __future__ import annotations

import http.cookies
import re

import httpx
import pytest
from servers import Tilde
from work import Team, good, refused

PASSWORD = "correct horse battery"
SESSION_COOKIE = "tilde_session"
CSRF_COOKIE = "tilde_csrf"
CSRF_HEADER = "X-CSRF-Token"


class Browser:
    """Keeps cookies, and shows the CSRF token where it is told to."""

    def __init__(self, server: Tilde) -> None:
        self.http = httpx.Client(base_url=server.api, timeout=60)

    def log_in(self, login: str = "ann", password: str = PASSWORD) -> httpx.Response:
        return self.http.post("auth/login", json={"login": login, "password": password})

    def send(self, method: str, path: str, **what: object) -> httpx.Response:
        headers = {CSRF_HEADER: self.http.cookies[CSRF_COOKIE]}
        return self.http.request(method, path, headers=headers, **what)


@pytest.fixture
def ann(server: Tilde) -> str:
    """The API key of a user who has a password."""
    server.admin("user", "add", "ann", "--email", "ann@example.com", "--password-stdin", stdin=f"{PASSWORD}\n")
    return server.admin("key", "create", "--user", "ann")


@pytest.fixture
def browser(server: Tilde, ann: str) -> Browser:
    browser = Browser(server)
    assert good(browser.log_in())["user"]["username"] == "ann"
    return browser


def cookies(answer: httpx.Response) -> dict[str, http.cookies.Morsel]:
    jar = http.cookies.SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        jar.load(line)
    return dict(jar)


def test_signing_in_sets_two_cookies(server: Tilde, ann: str) -> None:
    for login in ("ann", "ann@example.com"):
        answer = Browser(server).log_in(login)
        user = good(answer)["user"]
        assert (user["username"], user["email"], user["status"]) == ("ann", "ann@example.com", "active")
        assert set(good(answer)) == {"user"}
        session, csrf = cookies(answer)[SESSION_COOKIE], cookies(answer)[CSRF_COOKIE]
        assert session["httponly"] and not csrf["httponly"]
        for cookie in (session, csrf):
            assert cookie["samesite"].lower() in ("lax", "strict")
            assert cookie["path"] == "/"
        assert len(session.value) >= 32
        assert session.value not in (csrf.value, ann)


def test_no_other_answer_sets_cookies(server: Tilde, ann: str, browser: Browser) -> None:
    for answer in (server.http(ann).get("auth/me"), browser.http.get("auth/me")):
        assert answer.is_success
        assert "set-cookie" not in answer.headers


def test_a_login_is_as_good_as_a_key(server: Tilde, browser: Browser) -> None:
    me = good(browser.http.get("auth/me"))
    assert (me["user"]["username"], me["organizations"], me["has_password"]) == ("ann", [], True)
    made = browser.send("POST", "organizations", json={"name": "anns-team", "display_name": "Ann's"})
    assert made.status_code == 201
    assert [row["name"] for row in good(browser.http.get("auth/me"))["organizations"]] == ["anns-team"]
    key = good(browser.send("POST", "auth/keys", json={"name": "from the browser"}))
    assert good(server.http(key["token"]).get("auth/me"))["user"]["username"] == "ann"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_other_sites_cannot_use_a_login(browser: Browser, method: str) -> None:
    path, body = {
        "POST": ("organizations", {"name": "evil", "display_name": "Evil"}),
        "PATCH": ("auth/me", {"full_name": "Evil"}),
        "DELETE": ("organizations/anns-team", None),
        "PUT": ("auth/me/password", {"current_password": PASSWORD, "new_password": "an evil long password"}),
    }[method]
    browser.send("POST", "organizations", json={"name": "anns-team", "display_name": "Ann's"})
    for headers in ({}, {CSRF_HEADER: ""}, {CSRF_HEADER: "guess"}, {CSRF_HEADER: browser.http.cookies[SESSION_COOKIE]}):
        refused(browser.http.request(method, path, json=body, headers=headers), 403)
    assert [row["name"] for row in good(browser.http.get("organizations"))["results"]] == ["anns-team"]
    assert good(browser.http.get("auth/me"))["user"]["full_name"] != "Evil"
    assert browser.send(method, path, json=body).is_success


def test_the_csrf_token_belongs_to_the_login(server: Tilde, browser: Browser) -> None:
    """A token of one login is nothing worth beside the cookie of another."""
    second = Browser(server)
    second.log_in()
    headers = {CSRF_HEADER: second.http.cookies[CSRF_COOKIE]}
    refused(browser.http.post("organizations", json={"name": "evil", "display_name": "E"}, headers=headers), 403)


def test_a_key_needs_no_csrf_token_and_counts_more_than_a_cookie(server: Tilde, browser: Browser) -> None:
    headers = {"Authorization": f"Bearer {server.key}"}
    assert good(browser.http.get("auth/me", headers=headers))["user"]["username"] == "admin"
    body = {"name": "admins-team", "display_name": "A"}
    assert browser.http.post("organizations", json=body, headers=headers).status_code == 201
    assert good(browser.http.get("organizations"))["results"] == []


def test_logging_out(server: Tilde, browser: Browser) -> None:
    stolen = httpx.Client(base_url=server.api, cookies={SESSION_COOKIE: browser.http.cookies[SESSION_COOKIE]})
    assert good(stolen.get("auth/me"))
    refused(browser.http.post("auth/logout"), 403)
    answer = browser.send("POST", "auth/logout")
    assert answer.status_code == 204
    for name in (SESSION_COOKIE, CSRF_COOKIE):
        cookie = cookies(answer)[name]
        assert cookie.value == "" or cookie["max-age"] == "0"
    refused(stolen.get("auth/me"), 401)
    refused(browser.http.get("auth/me"), 401)
    refused(httpx.post(f"{server.api}/auth/logout"), 401)


def test_changing_the_password(server: Tilde, ann: str, browser: Browser) -> None:
    other = Browser(server)
    other.log_in()
    new = "an even longer sentence"
    for wrong, status in (
        ({"new_password": new}, 400), ({"current_password": "wrong", "new_password": new}, 400),
        ({"current_password": PASSWORD, "new_password": "short"}, 400),
        ({"current_password": PASSWORD}, 400),
    ):
        refused(browser.send("PUT", "auth/me/password", json=wrong), status)
    body = {"current_password": PASSWORD, "new_password": new}
    assert browser.send("PUT", "auth/me/password", json=body).status_code == 204
    assert browser.http.get("auth/me").is_success, "whoever changes it stays signed in"
    refused(other.http.get("auth/me"), 401)
    assert server.http(ann).get("auth/me").is_success, "keys are not passwords"
    refused(Browser(server).log_in(), 401)
    assert Browser(server).log_in(password=new).is_success


def test_what_users_change_of_themselves(server: Tilde, ann: str) -> None:
    http = server.http(ann)
    changed = good(http.patch("auth/me", json={"full_name": "Ann Example", "bio": "Measures things."}))
    assert (changed["full_name"], changed["bio"]) == ("Ann Example", "Measures things.")
    assert good(http.patch("auth/me", json={"bio": ""}))["full_name"] == "Ann Example", "what is not named stays"
    refused(http.patch("auth/me", json={"username": "root"}), 400)
    refused(http.patch("auth/me", json={"full_name": "x" * 1_000}), 400)
    assert good(http.get("auth/me"))["user"]["full_name"] == "Ann Example"


def test_wrong_logins_do_not_tell_who_exists(server: Tilde, ann: str) -> None:
    wrong = refused(Browser(server).log_in(password="wrong"), 401)
    nobody = refused(Browser(server).log_in("nobody", "wrong"), 401)
    keyless = refused(Browser(server).log_in("admin", "wrong"), 401)
    assert wrong["message"] == nobody["message"] == keyless["message"]
    assert wrong["code"] == nobody["code"] == keyless["code"]
    refused(httpx.post(f"{server.api}/auth/login", json={"login": "ann"}), 400)
    refused(httpx.post(f"{server.api}/auth/login", json={"login": 1, "password": 2}), 400)


def test_guessing_is_locked_out(server: Tilde, ann: str) -> None:
    for _ in range(10):
        Browser(server).log_in(password="wrong")
    locked = Browser(server).log_in()
    refused(locked, 429)
    assert locked.json()["code"] in ("ACCOUNT_LOCKED", "RATE_LIMITED")
    assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
    assert "set-cookie" not in locked.headers
    refused(httpx.get(f"{server.api}/auth/me", auth=("ann", PASSWORD), timeout=30), 429)
    assert server.http(ann).get("auth/me").is_success, "keys go on working"
    assert server.http().get("auth/me").is_success


def test_signing_up_is_closed(server: Tilde) -> None:
    body = {"username": "eve", "email": "eve@example.com", "full_name": "Eve", "password": "a long enough password"}
    answer = httpx.post(f"{server.api}/auth/signup", json=body)
    assert answer.status_code in (403, 404), answer.text


def test_a_removed_member_is_out_at_once(server: Tilde, team: Team, ann: str) -> None:
    member = team.organization.members.create("ann")
    browser = Browser(server)
    browser.log_in()
    path = "organizations/my-team/repositories/my-data"
    session = good(browser.send("POST", f"{path}/sessions"))["session_id"]
    query = {"session_id": session, "path": "a"}
    begun = good(browser.send("PUT", f"{path}/object", params=query))
    assert httpx.put(begun["upload_url"], content=b"in time").is_success
    member.delete()
    refused(browser.http.get(path), 404)
    spec = {"upload_token": begun["upload_token"]}
    refused(browser.send("POST", f"{path}/object/finalize", params=query, json=spec), 404)
    refused(browser.send("POST", f"{path}/sessions/{session}", json={"message": "late"}), 404)
    assert team.listing() == []


def test_the_page_for_devices_wants_a_login(server: Tilde, browser: Browser) -> None:
    code = good(httpx.post(f"{server.api}/auth/device/code"))
    page = httpx.get(code["verification_uri_complete"])
    assert page.status_code == 200
    assert not re.search(r"on(click|load|error)=|<script>", page.text), "what a policy for scripts would forbid"
    refused(browser.http.post("auth/device/confirm", json={"user_code": code["user_code"]}), 403)
    confirmed = browser.send("POST", "auth/device/confirm", json={"user_code": code["user_code"]})
    assert good(confirmed) == {"status": "confirmed"}
    granted = good(httpx.post(f"{server.api}/auth/device/token", json={"device_code": code["device_code"]}))
    assert good(server.http(granted["access_token"]).get("auth/me"))["user"]["username"] == "ann"


def test_nothing_secret_is_logged(server: Tilde, ann: str, browser: Browser) -> None:
    browser.send("POST", "auth/logout")
    text = server.log.read_text(errors="replace")
    for secret in (PASSWORD, ann, server.key):
        assert secret not in text
