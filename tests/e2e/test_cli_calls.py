"""The calls of the public command line (written in Go), replayed from their recorded form, and what it asks of answers.

Each call is the request as it is on the wire, byte for byte but for names and secrets: Go's HTTP client sends few
headers, in its own order, and the program does not follow redirects.
"""

from __future__ import annotations

import datetime
import gzip
import http.client
import json
import re
import socket
import time
import urllib.parse
import uuid

import httpx
import pytest
from servers import Tilde
from work import Team, good, refused

DEVICE_CODE = (
    "POST /api/v1/auth/device/code HTTP/1.1\r\n"
    "Host: {host}\r\n"
    "User-Agent: Go-http-client/1.1\r\n"
    "Content-Length: 0\r\n"
    "Accept-Encoding: gzip\r\n"
    "\r\n"
)
DEVICE_TOKEN = (
    "POST /api/v1/auth/device/token HTTP/1.1\r\n"
    "Host: {host}\r\n"
    "User-Agent: Go-http-client/1.1\r\n"
    "Content-Length: {length}\r\n"
    "Content-Type: application/json\r\n"
    "Accept-Encoding: gzip\r\n"
    "\r\n"
    "{body}"
)
GET = (
    "GET /api/v1/{path} HTTP/1.1\r\n"
    "Host: {host}\r\n"
    "User-Agent: Go-http-client/1.1\r\n"
    "Authorization: Bearer {key}\r\n"
    "Accept-Encoding: gzip\r\n"
    "\r\n"
)
AUTH_STATUS = "auth/me"
LS = "repositories?amount=1000"
LS_NEXT = "repositories?after={after}&amount=1000"
LS_OF_ORGANIZATION = "organizations/{organization}/repositories?amount=1000"
LS_OF_ORGANIZATION_NEXT = "organizations/{organization}/repositories?after={after}&amount=1000"


class CommandLine:
    """Sends recorded requests and reads answers as the program does."""

    def __init__(self, server: Tilde) -> None:
        self.host = server.url.removeprefix("http://")
        self.key = server.key

    def send(self, recorded: str, **names: object) -> tuple[int, dict]:
        """Status and JSON of the answer."""
        request = recorded.format(host=self.host, **names).encode()
        name, port = self.host.split(":")
        with socket.create_connection((name, int(port)), timeout=30) as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection, method=request.split(b" ")[0].decode())
            answer.begin()
            assert answer.getheader("Set-Cookie") is None
            body = answer.read()
            if answer.getheader("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            return answer.status, json.loads(body)

    def get(self, path: str, key: str | None = None) -> tuple[int, dict]:
        return self.send(GET, path=path, key=key or self.key)

    def login_code(self) -> dict:
        status, code = self.send(DEVICE_CODE)
        assert status == 200, "the program takes nothing else"
        return code

    def login_token(self, device_code: str) -> tuple[int, dict]:
        body = json.dumps({"device_code": device_code}, separators=(",", ":"))
        return self.send(DEVICE_TOKEN, length=len(body), body=body)

    def ls(self, first: str, following: str, **names: str) -> tuple[list[str], int]:
        """The lines that are printed, and the pages that it took."""
        lines, pages, path = [], 0, first.format(**names)
        while True:
            status, page = self.get(path)
            assert status == 200, page
            pages += 1
            # Go reads each into a field of this type, and fails if it is another.
            for row in page["results"]:
                assert isinstance(row["organization_slug"], str) and isinstance(row["name"], str)
                lines.append(f"{row['organization_slug']}/{row['name']}")
            if not page["pagination"]["has_more"]:
                return lines, pages
            after = page["pagination"]["next_offset"]
            path = following.format(after=urllib.parse.quote_plus(after), **names)


@pytest.fixture
def cli(server: Tilde) -> CommandLine:
    return CommandLine(server)


def test_auth_login(server: Tilde, cli: CommandLine) -> None:
    code = cli.login_code()
    for name in ("device_code", "user_code", "verification_uri", "verification_uri_complete"):
        assert isinstance(code[name], str) and code[name], name
    assert type(code["expires_in"]) is int and code["expires_in"] >= 60
    assert type(code["interval"]) is int and 1 <= code["interval"] <= 10
    assert code["verification_uri"].startswith(server.url)
    assert code["verification_uri_complete"].startswith(code["verification_uri"])
    assert code["device_code"] not in code["verification_uri_complete"], "it is the device's alone"
    page = httpx.get(code["verification_uri_complete"], headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 200, "what the program opens in a browser"
    assert page.headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"], "nobody is tricked into letting it in"

    time.sleep(code["interval"])
    status, waiting = cli.login_token(code["device_code"])
    assert (status, waiting) == (200, {"error": "authorization_pending"})
    browser = server.http()
    confirmed = browser.post("auth/device/confirm", json={"user_code": code["user_code"].lower().replace("-", " ")})
    assert good(confirmed) == {"status": "confirmed"}
    time.sleep(code["interval"])
    status, granted = cli.login_token(code["device_code"])
    assert (status, set(granted)) == (200, {"access_token"}), granted
    token = granted["access_token"]
    assert token.startswith("tuk-"), "every later command refuses other keys"

    status, me = cli.get(AUTH_STATUS, token)
    assert (status, me["user"]["username"], type(me["user"]["email"])) == (200, "admin", str)
    hints = [row["token_hint"] for row in good(browser.get("auth/keys"))["results"]]
    assert token[-4:] in hints, "it is a key like any other, and can be revoked"
    status, again = cli.login_token(code["device_code"])
    assert again.get("error") == "expired_token", "the key is handed out once"
    assert browser.post("auth/device/confirm", json={"user_code": code["user_code"]}).status_code == 404


def test_auth_login_asks_too_often(cli: CommandLine) -> None:
    code = cli.login_code()
    answers = [cli.login_token(code["device_code"]) for _ in range(3)]
    assert {status for status, _ in answers} == {200}
    assert answers[0][1]["error"] in ("authorization_pending", "slow_down")
    assert [answer for _, answer in answers[1:]] == [{"error": "slow_down"}] * 2


def test_auth_login_that_expired(cli: CommandLine) -> None:
    """A device code that nobody knows any more; the program reads the body whatever the status."""
    status, answer = cli.login_token("no-such-device-code")
    assert (status, answer["error"]) == (400, "expired_token"), answer
    assert {"message", "code", "request_id"} <= set(answer)


def test_a_device_is_let_in_by_somebody_who_is_signed_in(server: Tilde, cli: CommandLine) -> None:
    code = cli.login_code()
    body = {"user_code": code["user_code"]}
    refused(httpx.post(f"{server.api}/auth/device/confirm", json=body), 401)
    refused(server.http().post("auth/device/confirm", json={"user_code": "BBBB-BBBB"}), 404)
    codes = {cli.login_code()["user_code"] for _ in range(3)}
    assert len(codes) == 3
    assert all(re.fullmatch(r"[A-Z0-9]{4}-?[A-Z0-9]{4}", each) for each in codes), codes


def test_auth_status(server: Tilde, cli: CommandLine) -> None:
    status, me = cli.get(AUTH_STATUS)
    assert (status, me["user"]["username"], type(me["user"]["email"])) == (200, "admin", str)
    status, refusal = cli.get(AUTH_STATUS, "tuk-unknown")
    assert (status, set(refusal)) == (401, {"message", "code", "request_id"})


def test_repository_ls(server: Tilde, team: Team, cli: CommandLine) -> None:
    other = team.client.organizations.create("other", "Other")
    for name in ("one", "two.x", "three_y"):
        other.repositories.create(name)
    everywhere = ["my-team/my-data", "other/one", "other/three_y", "other/two.x"]
    lines, pages = cli.ls(LS, LS_NEXT)
    assert (sorted(lines), pages) == (everywhere, 1)
    lines, _ = cli.ls(LS_OF_ORGANIZATION, LS_OF_ORGANIZATION_NEXT, organization="other")
    assert sorted(lines) == everywhere[1:], "the organization is printed here too"
    status, refusal = cli.get(LS_OF_ORGANIZATION.format(organization="nothing"))
    assert (status, set(refusal)) == (404, {"message", "code", "request_id"})
    _, page = cli.get(LS)
    for row in page["results"]:
        assert {"id", "name", "description", "visibility", "created_at", "organization_slug"} <= set(row)
        assert str(uuid.UUID(row["id"])) == row["id"]
        assert datetime.datetime.fromisoformat(row["created_at"]).tzinfo is not None


def test_repository_ls_of_many(team: Team, cli: CommandLine) -> None:
    """More than the 1,000 that the program asks for at a time."""
    with team.server.http() as http:
        for number in range(1_003):
            body = {"name": f"repo-{number:04}"}
            assert http.post("organizations/my-team/repositories", json=body).status_code == 201
    expected = ["my-team/my-data", *[f"my-team/repo-{number:04}" for number in range(1_003)]]
    for calls in ((LS, LS_NEXT), (LS_OF_ORGANIZATION, LS_OF_ORGANIZATION_NEXT)):
        lines, pages = cli.ls(*calls, organization="my-team")
        assert (sorted(lines), pages) == (expected, 2)
