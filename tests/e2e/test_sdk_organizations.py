"""Organizations, members and repositories through the unmodified client."""

from __future__ import annotations

import datetime
import uuid

import pytest
import tilde
from servers import Tilde, wait_until
from tilde.exceptions import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from work import Team, good, refused


def test_organizations_come_and_go(client: tilde.Client) -> None:
    assert list(client.organizations.list()) == []
    made = client.organizations.create("my-team", "My Team")
    assert (made.name, made.display_name) == ("my-team", "My Team")
    assert str(uuid.UUID(made.id)) == made.id
    assert isinstance(made.created_at, datetime.datetime)
    client.organizations.create("other", "Other")
    assert client.organizations.get("my-team").id == made.id
    assert sorted(row.name for row in client.organizations.list()) == ["my-team", "other"]
    assert len(list(client.organizations.list(amount=1))) == 1

    client.organizations.delete("other")
    made.delete()
    assert list(client.organizations.list()) == []
    for gone in ("my-team", "other"):
        with pytest.raises(NotFoundError):
            client.organizations.get(gone)
        with pytest.raises(NotFoundError):
            client.organizations.delete(gone)


def test_organizations_that_cannot_be(client: tilde.Client) -> None:
    client.organizations.create("my-team", "My Team")
    with pytest.raises(ConflictError):
        client.organizations.create("my-team", "Another")
    for name in ("", "a", "My-Team", "-team", "my_team", "x" * 64, "check-name"):
        with pytest.raises(BadRequestError):
            client.organizations.create(name, "Name")


def test_the_list_of_organizations_is_complete(client: tilde.Client) -> None:
    """The client reads a single page of it."""
    names = [f"team-{number:03}" for number in range(130)]
    for name in names:
        client.organizations.create(name, name)
    assert sorted(row.name for row in client.organizations.list()) == names


def test_members_come_and_go_at_once(server: Tilde, team: Team) -> None:
    keys = {name: server.add_user(name) for name in ("ann", "bob")}
    members = team.organization.members
    assert [row.username for row in members.list()] == ["admin"]
    ann = members.create("ann")
    assert (ann.username, ann.organization_id) == ("ann", team.organization.id)
    assert isinstance(ann.joined_at, datetime.datetime)
    bob = members.create("bob")
    assert members.get("ann").user_id == members.get(ann.user_id).user_id == ann.user_id
    assert sorted(row.username for row in members.list()) == ["admin", "ann", "bob"]
    assert len(list(members.list(amount=2))) == 2

    as_ann = tilde.Client(api_key=keys["ann"], endpoint_url=server.url)
    assert [row.name for row in as_ann.organizations.list()] == ["my-team"]
    with pytest.raises(ForbiddenError):
        as_ann.organizations.get("my-team").members.delete(bob.user_id)
    ann.delete()
    members.delete(bob.user_id)
    assert list(as_ann.organizations.list()) == []
    with pytest.raises(NotFoundError):
        as_ann.organizations.get("my-team")
    with pytest.raises(NotFoundError):
        members.get("ann")


def test_members_that_cannot_be(server: Tilde, team: Team) -> None:
    members = team.organization.members
    server.add_user("ann")
    members.create("ann")
    with pytest.raises(ConflictError):
        members.create("ann")
    with pytest.raises((BadRequestError, NotFoundError)):
        members.create("nobody")
    with pytest.raises(NotFoundError):
        members.delete(str(uuid.uuid4()))
    with pytest.raises(ConflictError):
        members.delete(members.get("admin").user_id)
    assert sorted(row.username for row in members.list()) == ["admin", "ann"]


def test_the_list_of_members_is_complete(server: Tilde, team: Team) -> None:
    """The client reads a single page of it."""
    names = [f"user-{number:03}" for number in range(105)]
    for name in names:
        server.admin("user", "add", name)
        team.organization.members.create(name)
    assert sorted(row.username for row in team.organization.members.list()) == ["admin", *names]


def test_repositories_come_and_go(client: tilde.Client) -> None:
    organization = client.organizations.create("my-team", "My Team")
    made = organization.repositories.create(
        "my-data", description="What we know", session_max_duration_days=3, retention_days=90
    )
    assert (made.name, made.description, made.visibility) == ("my-data", "What we know", "private")
    assert (made.session_max_duration_days, made.retention_days) == (3, 90)
    assert made.organization_id == organization.id
    assert made.created_by_type == "user"
    assert str(uuid.UUID(made.created_by)) == made.created_by
    assert isinstance(made.created_at, datetime.datetime)

    lazy = client.repository("my-team/my-data")
    assert (lazy.id, lazy.description) == (made.id, "What we know")
    assert organization.repositories.get("my-data").id == made.id
    lazy.update(description="What we guess", session_max_duration_days=7, retention_days=30, visibility="public")
    assert (lazy.description, lazy.visibility) == ("What we guess", "public")
    assert made.description == "What we know"
    assert made.refresh().description == "What we guess"
    assert (made.session_max_duration_days, made.retention_days) == (7, 30)
    made.update(retention_days=31)
    assert (made.description, made.retention_days) == ("What we guess", 31), "what is not named stays"

    organization.repositories.create("second").delete()
    organization.repositories.delete("my-data")
    assert list(organization.repositories.list()) == []
    for call in (lazy.refresh, lazy.delete, lazy.session):
        with pytest.raises(NotFoundError):
            call()


def test_repositories_that_cannot_be(team: Team) -> None:
    repositories = team.organization.repositories
    with pytest.raises(ConflictError):
        repositories.create("my-data")
    for name in ("", "a/b", "/", " ", "x" * 256):
        with pytest.raises(BadRequestError):
            repositories.create(name)
    with pytest.raises(BadRequestError):
        team.repository.update(session_max_duration_days=30, retention_days=30)
    with pytest.raises(NotFoundError):
        _ = repositories.get("nothing").id
    assert [row.name for row in repositories.list()] == ["my-data"]


def test_repositories_are_paged(client: tilde.Client) -> None:
    organization = client.organizations.create("my-team", "My Team")
    names = [f"repo-{number:02}" for number in range(23)]
    for name in names:
        organization.repositories.create(name)
    listed = [row.name for row in organization.repositories.list(page_size=5)]
    assert sorted(listed) == names
    assert [row.name for row in organization.repositories.list(page_size=5, amount=12)] == listed[:12]
    assert [row.name for row in organization.repositories.list(page_size=23)] == listed, "a page that is just full"


def test_the_audit_log_tells_owners_who_did_what(server: Tilde, team: Team) -> None:
    as_ann = server.http(server.add_user("ann"))
    team.organization.members.create("ann")
    commit = team.commit({"a": b"1"}, message="secret plans")
    with team.repository.session() as session:
        session.objects.put("b", b"2")
    rows = good(server.http().get("organizations/my-team/audit"))["results"]
    actions = [row["action"] for row in rows]
    wanted = ["RollbackSession", "CreateSession", "CommitSession", "CreateSession", "AddMember"]
    assert [action for action in actions if action in wanted][:4] == wanted[:4], actions
    assert actions[-1] == "CreateOrganization", actions
    assert commit in str(rows)
    assert server.key not in str(rows)
    refused(as_ann.get("organizations/my-team/audit"), 403)
    team.organization.members.delete(team.organization.members.get("ann").user_id)
    refused(as_ann.get("organizations/my-team/audit"), 404)

    pages, after = [], None
    while True:
        query = {"amount": 2} | ({"after": after} if after else {})
        page = good(server.http().get("organizations/my-team/audit", params=query))
        pages += page["results"]
        if not page["pagination"]["has_more"]:
            break
        after = page["pagination"]["next_offset"]
    assert pages[1:] == rows, "one row more: a member was removed"


def test_a_key_that_was_revoked_opens_nothing_any_more(server: Tilde, team: Team) -> None:
    http = server.http()
    made = good(http.post("auth/keys", json={"name": "laptop", "description": "mine"}))
    second = tilde.Client(api_key=made["token"], endpoint_url=server.url)
    session = second.repository("my-team/my-data").session()
    session.objects.put("a", b"1")

    def row() -> dict:
        return next(row for row in good(http.get("auth/keys"))["results"] if row["id"] == made["id"])

    used = wait_until(lambda: row().get("last_used_at"), 10, "the last use")
    assert datetime.datetime.fromisoformat(used)
    assert (row()["token_hint"], row()["name"], row()["description"]) == (made["token"][-4:], "laptop", "mine")
    assert http.delete(f"auth/keys/{made['id']}").status_code == 204
    with pytest.raises(tilde.exceptions.AuthenticationError):
        session.commit("too late")
    assert list(team.repository.commits.list()) == []
    team.repository.attach(session.session_id).rollback()
