"""Who may see and do what: keys, passwords, members, strangers."""

from __future__ import annotations

import httpx
import pytest
import tilde
from servers import Moto, Tilde
from work import Team, good, refused


@pytest.fixture
def stranger(server: Tilde) -> httpx.Client:
    """A user of the server who is in no organization."""
    return server.http(server.add_user("stranger"))


def test_strangers_see_nothing(team: Team, stranger: httpx.Client, moto: Moto) -> None:
    bucket = moto.bucket({"a": b"1"})
    connector = team.connector(moto, f"s3://{bucket}/")
    job = team.run_import(connector)
    organization, repository = "organizations/my-team", "organizations/my-team/repositories/my-data"
    for path in [
        organization, f"{organization}/connectors", f"{organization}/connectors/{connector.id}",
        f"{organization}/members", f"{organization}/repositories", repository, f"{repository}/connectors",
        f"{repository}/import/{job.id}", f"{repository}/objects", f"{repository}/object?path=a", f"{repository}/log",
        f"{repository}/commits/{job.commit_id}", f"{repository}/diff?right={job.commit_id}",
    ]:
        refused(stranger.get(path), 404)
    refused(stranger.post(f"{organization}/connectors/{connector.id}/test"), 404)
    refused(stranger.delete(f"{organization}/connectors/{connector.id}"), 404)
    refused(stranger.delete(organization), 404)
    body = {"connector_id": connector.id, "destination_path": ""}
    refused(stranger.post(f"{repository}/import", json=body), 404)
    assert good(stranger.get("organizations"))["results"] == []
    assert good(stranger.get("repositories"))["results"] == []


def test_members_use_and_owners_rule(server: Tilde, team: Team, stranger: httpx.Client, moto: Moto) -> None:
    added = team.organization.members.create("stranger")
    assert added.username == "stranger"
    bucket = moto.bucket({"a": b"1"})
    connector = team.connector(moto, f"s3://{bucket}/")
    body = {"connector_id": connector.id, "destination_path": "m/"}
    assert stranger.post("organizations/my-team/repositories/my-data/import", json=body).status_code == 202
    new = {"name": "c", "type": "s3", "source_uri": "s3://a-bucket/", "config": moto.config()}
    refused(stranger.post("organizations/my-team/connectors", json=new), 403)
    refused(stranger.delete(f"organizations/my-team/connectors/{connector.id}"), 403)
    refused(stranger.delete("organizations/my-team"), 403)
    team.organization.members.delete(added.user_id)
    refused(stranger.get("organizations/my-team"), 404)
    # Every import that was started has to end before the server is judged.
    team.run_import(connector, "o/")


def test_keys(server: Tilde) -> None:
    http = server.http()
    made = good(http.post("auth/keys", json={"name": "second"}))
    assert made["token"].startswith("tuk-")
    second = server.http(made["token"])
    assert good(second.get("auth/me"))["user"]["username"] == "admin"
    rows = {row["id"]: row for row in good(http.get("auth/keys"))["results"]}
    assert rows[made["id"]]["token_hint"] == made["token"][-4:]
    assert made["token"] not in str(rows)
    assert http.delete(f"auth/keys/{made['id']}").status_code == 204
    refused(second.get("auth/me"), 401)


def test_without_a_valid_key(server: Tilde) -> None:
    for header in (None, "Bearer", "Bearer tuk-wrong", "Bearer " + server.key[:-1] + "~", "Basic !", "Digest x"):
        headers = {"Authorization": header} if header else {}
        answer = httpx.get(f"{server.api}/auth/me", headers=headers)
        refused(answer, 401)
        assert "www-authenticate" in answer.headers
    with pytest.raises(tilde.exceptions.AuthenticationError):
        list(tilde.Client(api_key="tuk-wrong", endpoint_url=server.url).organizations.list())


def test_passwords(server: Tilde) -> None:
    name = ("user", "add", "ann", "--email", "ann@example.com", "--password-stdin")
    server.admin(*name, stdin="correct horse battery\n")
    for login in ("ann", "ann@example.com"):
        me = good(httpx.get(f"{server.api}/auth/me", auth=(login, "correct horse battery"), timeout=30))
        assert (me["user"]["username"], me["has_password"]) == ("ann", True)
    refused(httpx.get(f"{server.api}/auth/me", auth=("ann", "wrong"), timeout=30), 401)
    refused(httpx.get(f"{server.api}/auth/me", auth=("nobody", "wrong"), timeout=30), 401)
    # From elsewhere, as an address has a limit of its own.
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=30) as elsewhere:
        for _ in range(9):
            refused(elsewhere.get(f"{server.api}/auth/me", auth=("ann", "wrong")), 401)
    locked = httpx.get(f"{server.api}/auth/me", auth=("ann", "correct horse battery"), timeout=30)
    refused(locked, 429, "ACCOUNT_LOCKED")
    assert int(locked.headers["retry-after"]) > 0


def test_the_first_key_and_password_can_be_given(start) -> None:
    key = start().key
    server = start(TILDE_BOOTSTRAP_API_KEY=key, TILDE_BOOTSTRAP_PASSWORD="a long first password")
    assert not (server.data / "admin.key").exists()
    assert good(server.http(key).get("auth/me"))["user"]["username"] == "admin"
    assert good(httpx.get(f"{server.api}/auth/me", auth=("admin", "a long first password"), timeout=30))
