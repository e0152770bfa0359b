"""Every example of the public documentation does what the text beside it says."""

from __future__ import annotations

import re

import examples
import pytest
import tilde
from examples import Reader
from gcs import Gcs
from servers import S3
from work import Team

OBJECTS = {"datasets/file.csv": b"a,b\n1,2\n", "datasets/deep/er.csv": b"c\n3\n", "other/no.csv": b"no"}


@pytest.fixture
def server(start, s3: S3, gcs: Gcs):
    """A server whose connectors without an endpoint go to the test's servers."""
    s3.bucket(OBJECTS, name="my-bucket")
    return start(config=f"{gcs.google_config()}  s3:\n    endpoint: {s3.endpoint}\n")


@pytest.fixture
def reader(tmp_path, team: Team, server, s3: S3, gcs: Gcs) -> Reader:
    return Reader(tmp_path, server.url, server.key, s3.endpoint, gcs.config()["credentials_json"])


def test_the_python_examples(reader: Reader, team: Team) -> None:
    start = """
repo = tilde.repository("my-team/my-data")
repo.connectors.attach(connector.id)
job = repo.imports.create_from_connector(connector_id=connector.id, destination_path="imported/")
"""
    printed = reader.python(examples.CREATE_PYTHON, start, examples.POLL_PYTHON)
    assert re.search(r"^Status: completed, Objects: 2$", printed, re.MULTILINE), printed
    commit = re.search(r"^Import done! Commit: ([0-9a-f]{64})$", printed, re.MULTILINE)
    assert commit, printed
    assert [c.id for c in team.repository.commits.list()] == [commit[1]]
    assert team.content() == {"imported/file.csv": b"a,b\n1,2\n", "imported/deep/er.csv": b"c\n3\n"}


def test_the_curl_examples_in_the_order_of_the_page(reader: Reader, team: Team, s3: S3) -> None:
    status, connector = reader.curl(examples.CREATE)
    assert status == 201
    assert connector["name"] == "production-s3"
    assert set(connector) <= {
        "id", "name", "type", "source_uri", "display_source", "disabled", "public_key", "created_at"
    }
    status, minio = reader.curl(examples.CREATE_WITH_ENDPOINT)
    assert (status, minio["source_uri"], minio["disabled"]) == (201, "s3://my-bucket/", False)

    assert reader.curl(examples.LIST_ATTACHED) == (200, {"results": []})
    for each in (connector, minio):
        assert reader.curl(examples.ATTACH, each["id"])[0] == 201
    status, attached = reader.curl(examples.LIST_ATTACHED)
    assert status == 200
    assert {row["id"] for row in attached["results"]} == {connector["id"], minio["id"]}

    for each in (connector, minio):
        status, started = reader.curl(examples.IMPORT, each["id"])
        assert status == 202
        job = team.finish(team.repository.imports.get(started["job_id"]))
        assert (job.status, job.objects_imported) == ("completed", 2), job.error
        assert (job.commit_message, job.source_prefix) == ("Import Q1 datasets", "datasets/")
        metadata = team.listing(prefix="imported/datasets/file")[0]["entry"]["source_metadata"]
        etag = s3.client.head_object(Bucket="my-bucket", Key="datasets/file.csv")["ETag"]
        assert metadata.pop("import_time").endswith("Z")
        assert metadata == {
            "connector_id": each["id"],
            "connector_type": "s3",
            "source_path": "s3://my-bucket/datasets/file.csv",
            "source_etag": etag,
            "import_job_id": job.id,
        }
    assert [commit.message for commit in team.repository.commits.list()] == ["Import Q1 datasets"] * 2
    paths = [row["path"] for row in team.listing()]
    assert paths == ["imported/datasets/deep/er.csv", "imported/datasets/file.csv"]

    assert reader.curl(examples.DETACH, connector["id"]) == (204, None)
    assert [row.id for row in team.repository.connectors.list()] == [minio["id"]]
    status, refusal = reader.curl(examples.IMPORT, connector["id"])
    assert (status, "attach" in refusal["message"]) == (400, True), refusal


def test_the_curl_example_of_google_cloud_storage(reader: Reader, team: Team, gcs: Gcs) -> None:
    gcs.bucket(OBJECTS, name="my-bucket")
    status, connector = reader.curl(examples.CREATE_GCS)
    assert (status, connector["type"], connector["name"]) == (201, "gcs", "production-gcs"), connector
    assert connector["source_uri"] == "gs://my-bucket/datasets/"
    assert reader.curl(examples.ATTACH, connector["id"])[0] == 201
    status, started = reader.curl(examples.IMPORT, connector["id"])
    assert status == 202
    job = team.finish(team.repository.imports.get(started["job_id"]))
    assert (job.status, job.objects_imported) == ("completed", 2), job.error
    assert team.content() == {
        "imported/datasets/file.csv": b"a,b\n1,2\n", "imported/datasets/deep/er.csv": b"c\n3\n"
    }
    metadata = team.listing(prefix="imported/datasets/file")[0]["entry"]["source_metadata"]
    assert metadata["source_path"] == "gs://my-bucket/datasets/file.csv"


def test_the_curl_example_of_a_cross_repository_import(reader: Reader, team: Team, s3: S3) -> None:
    source = Team(team.server, team.client, "other-team", "source-data")
    bucket = s3.bucket({"datasets/train/a": b"1", "datasets/train/b/c": b"22", "datasets/test/d": b"333"})
    source.run_import(source.connector(s3, f"s3://{bucket}/"))
    status, started = reader.curl(examples.IMPORT_FROM_REPOSITORY)
    assert status == 202
    job = team.finish(team.repository.imports.get(started["job_id"]))
    assert (job.status, job.objects_imported) == ("completed", 2), job.error
    assert team.content() == {"external/a": b"1", "external/b/c": b"22"}
    assert [c.message for c in team.repository.commits.list()] == ["Import training data from source-data"]


def test_exactly_one_source(reader: Reader, team: Team) -> None:
    both = examples.IMPORT.replace('"connector_id"', '"source_organization": "other-team", "connector_id"')
    status, refusal = reader.curl(both, "00000000-0000-4000-8000-000000000000")
    assert (status, "source_organization" in refusal["message"]) == (400, True), refusal
    neither = examples.IMPORT.replace('"connector_id": "connector-uuid",', "")
    status, refusal = reader.curl(neither)
    assert (status, "connector_id" in refusal["message"]) == (400, True), refusal


def test_the_fields_of_a_job(team: Team, s3: S3) -> None:
    connector = team.connector(s3, "s3://my-bucket/datasets/")
    job = team.status(team.run_import(connector, "d/"))
    documented = {
        "id", "repository_id", "connector_id", "source_prefix", "destination_path", "commit_message", "status",
        "objects_imported", "commit_id", "created_by", "created_at", "updated_at",
    }
    assert documented <= {name for name, value in job.items() if value is not None}
    assert (job["source_organization"], job["source_repository"], "error" in job) == (None, None, False)


def test_a_connector_goes_and_the_data_stays(team: Team, s3: S3) -> None:
    connector = team.connector(s3, "s3://my-bucket/datasets/", name="first")
    team.run_import(connector, "kept/")
    before = team.content()
    connector.delete()
    assert list(team.organization.connectors.list()) == []
    assert list(team.repository.connectors.list()) == []
    with pytest.raises(tilde.exceptions.NotFoundError):
        team.organization.connectors.get(connector.id)
    assert team.content() == before
    assert len(before) == 2
    assert team.listing()[0]["entry"]["source_metadata"]["connector_id"] == connector.id
    again = team.connector(s3, "s3://my-bucket/datasets/", name="first")
    assert again.id != connector.id
