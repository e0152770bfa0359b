"""Every class of errors the unmodified client knows, provoked by what leads to it.

Deleted and disabled connectors (410, 423) are in test_sdk_imports.py.
"""

from __future__ import annotations

import sqlite3

import httpx
import pytest
import tilde
import tilde.models
from servers import Tilde, free_port
from tilde import exceptions
from work import Team


def as_user(server: Tilde, key: str) -> tilde.Client:
    return tilde.Client(api_key=key, endpoint_url=server.url)


def assert_told(error: exceptions.APIError, status: int) -> None:
    """All that the client shows of a refusal."""
    assert error.status_code == status
    assert error.message
    assert error.code == error.code.upper() != ""
    assert error.request_id
    assert error.request_id in str(error)


def test_400_bad_request(team: Team) -> None:
    with pytest.raises(exceptions.BadRequestError) as refusal:
        team.repository.session().commit("nothing is staged")
    assert_told(refusal.value, 400)


def test_401_unknown_and_missing_keys(server: Tilde) -> None:
    for key in ("tuk-unknown", server.key[:-1], "nonsense"):
        with pytest.raises(exceptions.AuthenticationError) as refusal:
            list(as_user(server, key).organizations.list())
        assert_told(refusal.value, 401)


def test_403_a_member_is_no_owner(server: Tilde, team: Team) -> None:
    client = as_user(server, server.add_user("ann"))
    team.organization.members.create("ann")
    for call in (
        client.organizations.get("my-team").delete,
        client.repository("my-team/my-data").delete,
        lambda: client.organizations.get("my-team").connectors.create("c", "s3", "s3://a-bucket/", {}),
        lambda: client.organizations.get("my-team").members.create("ann"),
    ):
        with pytest.raises(exceptions.ForbiddenError) as refusal:
            call()
        assert_told(refusal.value, 403)


def test_404_a_stranger_sees_nothing(server: Tilde, team: Team) -> None:
    team.commit({"a": b"1"})
    session = team.repository.session()
    session.objects.put("b", b"2")
    repository = as_user(server, server.add_user("ann")).repository("my-team/my-data")
    theirs = repository.attach(session.session_id)
    for call in (
        repository.refresh,
        repository.session,
        lambda: list(repository.commits.list()),
        lambda: list(theirs.uncommitted()),
        lambda: theirs.objects.get("b").read(),
        lambda: theirs.objects.put("b", b"3"),
        lambda: theirs.objects.put("b", iter([b"3"])),
        lambda: theirs.commit("theirs"),
        theirs.rollback,
    ):
        with pytest.raises(exceptions.NotFoundError) as refusal:
            call()
        assert_told(refusal.value, 404)
    with pytest.raises(exceptions.NotFoundError) as refusal:
        theirs.objects.head("b")
    assert refusal.value.status_code == 404, "no answer to HEAD has a body"
    session.commit("mine")


def test_409_taken(team: Team) -> None:
    with pytest.raises(exceptions.ConflictError) as refusal:
        team.client.organizations.create("my-team", "Again")
    assert_told(refusal.value, 409)


def test_412_not_the_version_that_was_wanted(server: Tilde, team: Team) -> None:
    """The client has no word for a condition, but takes an HTTP client that states one."""
    team.commit({"a": b"1"})
    http = httpx.Client(base_url=server.api, headers={"If-Match": '"something else"'})
    client = tilde.Client(api_key=server.key, endpoint_url=server.url, httpx_client=http)
    with pytest.raises(exceptions.PreconditionFailedError) as refusal:
        tilde.models.ReadOnlyObjects(client, "my-team", "my-data").get("a").read()
    assert_told(refusal.value, 412)


def test_416_beyond_the_end(team: Team) -> None:
    commit = team.repository.commits.get(team.commit({"a": b"1"}))
    with pytest.raises(exceptions.APIError) as refusal:
        commit.objects.get("a", byte_range=(1, None)).read()
    assert_told(refusal.value, 416)


def test_503_another_process_holds_the_catalog(server: Tilde, team: Team) -> None:
    catalog = sqlite3.connect(server.data / "tilde.db", isolation_level=None, timeout=30)
    catalog.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(exceptions.ServerError) as refusal:
            team.repository.session()
        assert_told(refusal.value, 503)
    finally:
        catalog.execute("ROLLBACK")
        catalog.close()
    team.commit({"a": b"1"})


def test_nobody_answers() -> None:
    client = tilde.Client(api_key="tuk-any", endpoint_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(exceptions.TransportError):
        list(client.organizations.list())
