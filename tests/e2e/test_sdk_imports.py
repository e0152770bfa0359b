"""Connectors and imports through the unmodified client, every method once."""

from __future__ import annotations

import datetime

import pytest
from servers import Moto
from tilde.exceptions import BadRequestError, ConflictError, GoneError, LockedError, NotFoundError
from work import Team

OBJECTS = {"datasets/a.csv": b"1", "datasets/b/c.csv": b"22", "other/d.csv": b"333"}
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def test_connectors_come_and_go(team: Team, moto: Moto) -> None:
    connectors = team.organization.connectors
    made = connectors.create("source", "s3", "s3://some-bucket/datasets/", moto.config())
    assert (made.name, made.type, made.source_uri) == ("source", "s3", "s3://some-bucket/datasets/")
    assert (made.disabled, made.public_key) == (False, None)
    assert isinstance(made.created_at, datetime.datetime)
    again = connectors.get(made.id)
    assert (again.id, again.name, again.created_at) == (made.id, "source", made.created_at)
    with pytest.raises(ConflictError):
        connectors.create("source", "s3", "s3://some-bucket/", moto.config())
    for name, type_, uri, config in (
        ("", "s3", "s3://some-bucket/", moto.config()),
        ("x", "ftp", "s3://some-bucket/", moto.config()),
        ("x", "s3", "gs://some-bucket/", moto.config()),
        ("x", "s3", "s3://some-bucket/", {}),
        ("x", "s3", "s3://some-bucket/", moto.config(endpont="http://127.0.0.1:1")),
    ):
        with pytest.raises(BadRequestError):
            connectors.create(name, type_, uri, config)
    second = connectors.create("second", "s3", "s3://some-bucket/", moto.config())
    assert {row.id for row in connectors.list()} == {made.id, second.id}
    assert len(list(connectors.list(amount=1))) == 1
    made.delete()
    connectors.delete(second.id)
    assert list(connectors.list()) == []
    for call in (lambda: connectors.get(made.id), made.delete, lambda: connectors.delete(UNKNOWN_ID)):
        with pytest.raises(NotFoundError):
            call()


def test_lists_of_connectors_are_complete(team: Team, moto: Moto) -> None:
    """The client reads a single page of them."""
    for number in range(105):
        connector = team.organization.connectors.create(f"c-{number:03}", "s3", "s3://some-bucket/", moto.config())
        team.repository.connectors.attach(connector.id)
    names = [f"c-{number:03}" for number in range(105)]
    assert sorted(row.name for row in team.organization.connectors.list()) == names
    assert sorted(row.name for row in team.repository.connectors.list()) == names


def test_attaching(team: Team, moto: Moto) -> None:
    attached = team.repository.connectors
    connector = team.organization.connectors.create("source", "s3", "s3://some-bucket/", moto.config())
    assert list(attached.list()) == []
    attached.attach(connector.id)
    assert [row.id for row in attached.list()] == [connector.id]
    with pytest.raises(ConflictError):
        attached.attach(connector.id)
    with pytest.raises((BadRequestError, NotFoundError)):
        attached.attach(UNKNOWN_ID)
    attached.detach(connector.id)
    attached.detach(connector.id)
    assert list(attached.list()) == []
    attached.attach(connector.id)
    connector.delete()
    assert list(attached.list()) == []


def test_an_import_from_a_connector(team: Team, moto: Moto) -> None:
    bucket = moto.bucket(OBJECTS)
    connector = team.connector(moto, f"s3://{bucket}/")
    job = team.repository.imports.create_from_connector(
        connector.id, "in/", source_prefix="datasets/", commit_message="Import Q1"
    )
    assert job.status in ("pending", "running", "completed")
    assert (job.source_prefix, job.destination_path, job.commit_message) == ("datasets/", "in/", "Import Q1")
    team.finish(job)
    assert (job.status, job.objects_imported, job.error) == ("completed", 2, ""), job.error
    assert (job.connector_id, job.repository_id) == (connector.id, team.repository.id)
    assert (job.created_by_type, bool(job.created_by)) == ("user", True)
    assert job.created_at <= job.updated_at
    assert team.repository.imports.get(job.id).commit_id == job.commit_id
    commit = team.repository.commits.get(job.commit_id)
    assert commit.message == "Import Q1"
    rows = list(commit.objects.list())
    assert [row.path for row in rows] == ["in/a.csv", "in/b/c.csv"]
    source = rows[0].entry.source_metadata
    assert (source.connector_id, source.connector_type, source.import_job_id) == (connector.id, "s3", job.id)
    assert source.source_path == f"s3://{bucket}/datasets/a.csv"
    assert source.import_time is not None


def test_an_import_from_a_repository(team: Team) -> None:
    source = team.organization.repositories.create("source")
    with source.session() as session:
        session.objects.put("train/a", b"1")
        session.objects.put("train/b", b"22")
        session.objects.put("test/c", b"333")
        commit = session.commit("data")
    job = team.repository.imports.create_from_repository(
        "my-team/source", "from/", source_prefix="train/", commit_message="Take over"
    )
    team.finish(job)
    assert (job.status, job.objects_imported) == ("completed", 2), job.error
    assert (job.source_organization, job.source_repository) == ("my-team", "source")
    assert (job.source_repository_id, job.connector_id) == (source.id, None)
    assert team.content() == {"from/a": b"1", "from/b": b"22"}
    origin = next(iter(team.repository.commits.get(job.commit_id).objects.list())).entry.source_metadata
    assert (origin.connector_type, origin.version_id) == ("repository", commit)
    assert origin.source_path == "tilde://my-team/source/train/a"


def test_imports_that_cannot_be(team: Team, moto: Moto) -> None:
    imports = team.repository.imports
    loose = team.organization.connectors.create("loose", "s3", "s3://some-bucket/", moto.config())
    with pytest.raises(BadRequestError):
        imports.create_from_connector(loose.id, "in/")
    with pytest.raises(NotFoundError):
        imports.create_from_connector(UNKNOWN_ID, "in/")
    with pytest.raises(NotFoundError):
        imports.create_from_repository("my-team/nothing", "in/")
    with pytest.raises(NotFoundError):
        imports.get(UNKNOWN_ID)
    disabled = team.connector(moto, "s3://some-bucket/", name="disabled")
    path = f"{team.server.api}/organizations/my-team/connectors/{disabled.id}"
    assert team.http.patch(path, json={"disabled": True}).is_success
    with pytest.raises(LockedError):
        imports.create_from_connector(disabled.id, "in/")
    disabled.delete()
    with pytest.raises(GoneError):
        imports.create_from_connector(disabled.id, "in/")


def test_an_import_wins_over_sessions_only_where_it_writes(team: Team, moto: Moto) -> None:
    bucket = moto.bucket({"a": b"imported"})
    connector = team.connector(moto, f"s3://{bucket}/")
    mine, other = team.repository.session(), team.repository.session()
    mine.objects.put("in/a", b"mine")
    other.objects.put("in/b", b"other")
    team.run_import(connector, "in/")
    with pytest.raises(ConflictError):
        mine.commit("mine")
    mine.rollback()
    other.commit("other")
    assert team.content() == {"in/a": b"imported", "in/b": b"other"}
