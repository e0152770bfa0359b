"""What goes wrong is said clearly, in the contract's words, and leaves nothing half done."""

from __future__ import annotations

import httpx
import pytest
import tilde
from servers import SECRET_KEY, Moto, Radosgw, free_port
from work import Team, good, refused

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def failed_import(team: Team, connector) -> str:
    job = team.finish(team.repository.imports.create_from_connector(connector.id, "x/"))
    assert (job.status, job.commit_id) == ("failed", "")
    assert team.listing() == []
    assert SECRET_KEY not in job.error
    return job.error


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret_access_key": "not-the-secret"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "AKIANOSUCHKEY0000000"}, "InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials(team: Team, radosgw: Radosgw, change: dict[str, str], code: str) -> None:
    bucket = radosgw.bucket({"a": b"1"})
    error = failed_import(team, team.connector(radosgw, f"s3://{bucket}/", **change))
    assert code in error
    body = {"type": "s3", "source_uri": f"s3://{bucket}/", "config": radosgw.config(**change)}
    tested = team.http.post(f"{team.server.api}/organizations/my-team/connectors:test", json=body)
    assert code in refused(tested, 502)["message"]


def test_a_missing_bucket(team: Team, s3) -> None:
    connector = team.connector(s3, "s3://no-such-bucket-here/")
    assert "NoSuchBucket" in failed_import(team, connector)
    tested = team.http.post(f"{team.server.api}/organizations/my-team/connectors/{connector.id}/test")
    assert "NoSuchBucket" in refused(tested, 502)["message"]


def test_both_test_endpoints(team: Team, s3) -> None:
    bucket = s3.bucket({"d/a": b"1"})
    connector = team.connector(s3, f"s3://{bucket}/d/")
    url = f"{team.server.api}/organizations/my-team/connectors"
    assert good(team.http.post(f"{url}/{connector.id}/test")) == {"status": "ok"}
    body = {"type": "s3", "source_uri": f"s3://{bucket}/d/", "config": s3.config()}
    assert good(team.http.post(f"{url}:test", json=body)) == {"status": "ok"}
    assert len(list(team.organization.connectors.list())) == 1, "a test stores nothing"
    refused(team.http.post(f"{url}/{UNKNOWN_ID}/test"), 404)


def test_nobody_listens(team: Team, moto: Moto) -> None:
    body = {
        "type": "s3", "source_uri": "s3://a-bucket/", "config": moto.config(endpoint=f"http://127.0.0.1:{free_port()}")
    }
    refused(team.http.post(f"{team.server.api}/organizations/my-team/connectors:test", json=body), 502)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": {"access_key_id": "a", "secret_access_key": "b", "endpont": "http://x"}}, "endpont"),
        ({"config": {"access_key_id": "a"}}, "secret_access_key"),
        ({"config": {"access_key_id": "a", "secret_access_key": "b", "endpoint": "ftp://x"}}, "endpoint"),
        ({"config": {"access_key_id": "a", "secret_access_key": "b", "endpoint": "http://u:p@x/"}}, "endpoint"),
        ({"config": {"access_key_id": "a", "secret_access_key": "b", "endpoint": "http://169.254.169.254"}}, "169.254"),
        ({"config": "text"}, "config"),
        ({"source_uri": "http://bucket/"}, "source_uri"),
        ({"source_uri": "s3://"}, "source_uri"),
        ({"source_uri": None}, "source_uri"),
        ({"type": "ftp"}, "type"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
    ],
)
def test_bad_connectors_are_refused_by_field(team: Team, change: dict, named: str) -> None:
    body = {
        "name": "c", "type": "s3", "source_uri": "s3://a-bucket/",
        "config": {"access_key_id": "a", "secret_access_key": "b"},
    }
    answer = team.http.post(f"{team.server.api}/organizations/my-team/connectors", json=body | change)
    assert named in refused(answer, 400)["message"]


def test_bad_imports_are_refused(team: Team, moto: Moto) -> None:
    bucket = moto.bucket({"a": b"1"})
    connector = team.connector(moto, f"s3://{bucket}/")
    loose = team.organization.connectors.create("loose", "s3", f"s3://{bucket}/", moto.config())
    good_body = {"connector_id": connector.id, "destination_path": ""}
    bad = [
        ({"connector_id": None}, 400),
        ({"connector_id": "no-uuid"}, 400),
        ({"connector_id": UNKNOWN_ID}, 404),
        ({"connector_id": loose.id}, 400),
        ({"destination_path": None}, 400),
        ({"destination_path": 1}, 400),
        ({"destination_path": "a\0b"}, 400),
        ({"source_organization": "o", "source_repository": "r"}, 400),
        ({"connector_id": None, "source_organization": "o"}, 400),
    ]
    for change, status in bad:
        refused(team.http.post("import", json=good_body | change), status)
    connector.delete()
    refused(team.http.post("import", json=good_body), 410)
    refused(team.http.get(f"import/{UNKNOWN_ID}"), 404)
    refused(team.http.get("import/no-uuid"), 404)


def test_malformed_requests_get_the_envelope(team: Team) -> None:
    http, connectors = team.http, f"{team.server.api}/organizations/my-team/connectors"
    json_type = {"Content-Type": "application/json"}
    refused(http.post(connectors, content=b"{", headers=json_type), 400)
    refused(http.post(connectors, content=b"[]", headers=json_type), 400)
    refused(http.post(connectors, content=b"\xff\xfe", headers=json_type), 400)
    refused(http.post(connectors, content=b" " * (2 << 20), headers=json_type), 413)
    refused(http.get(f"{team.server.api}/no/such/route"), 404)
    refused(http.patch(connectors), 405)
    refused(http.get(f"{team.server.api}/organizations/nobody"), 404)
    refused(http.get(f"{team.server.api}/organizations/my-team/repositories/nothing"), 404)
    refused(http.get("objects", params={"ref": "x" * 5000}), 404)
    refused(http.get("object", params={"path": "x" * 3000}), 400)


def test_names_that_are_taken(team: Team, moto: Moto) -> None:
    with pytest.raises(tilde.exceptions.ConflictError):
        team.client.organizations.create("my-team", "Again")
    with pytest.raises(tilde.exceptions.ConflictError):
        team.organization.repositories.create("my-data")
    connector = team.connector(moto, "s3://a-bucket/")
    with pytest.raises(tilde.exceptions.ConflictError):
        team.organization.connectors.create("source", "s3", "s3://b-bucket/", moto.config())
    with pytest.raises(tilde.exceptions.ConflictError):
        team.repository.connectors.attach(connector.id)
    for name in ("A", "x", "-a", "a b", "a" * 64):
        with pytest.raises(tilde.exceptions.BadRequestError):
            team.client.organizations.create(name, "Name")


def test_an_import_can_be_canceled_and_started_again(team: Team, slow, moto: Moto) -> None:
    bucket = moto.bucket({f"{number:04}": b"x" * number for number in range(300)})
    proxy = slow(moto.endpoint, 0.1)
    connector = team.connector(moto, f"s3://{bucket}/", endpoint=proxy.url)
    job = team.repository.imports.create_from_connector(connector.id, "")
    assert good(team.http.post(f"import/{job.id}/cancel"))["status"] in ("pending", "running", "canceled")
    assert team.finish(job).status == "canceled"
    assert team.listing() == []
    retried: httpx.Response = team.http.post(f"import/{job.id}/retry")
    job = team.finish(team.repository.imports.get(good(retried)["job_id"]))
    assert (job.status, job.objects_imported) == ("completed", 300), job.error
