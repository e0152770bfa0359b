"""Google Cloud Storage as a source: the same imports, with generations in the place of versions."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
import tilde
from gcs import EMAIL, Gcs, key_file, new_key
from servers import SECRET_KEY
from test_keys import ODD_KEYS
from work import Team, good, refused

BODIES = {
    "datasets/a.txt": b"hello",
    "datasets/b/empty": b"",
    "datasets/b/packed.bin": hashlib.sha256(b"packed").digest() * 3_000,
    "datasets/b/pieces.bin": hashlib.sha256(b"pieces").digest() * 600_000,
    "other/no.csv": b"no",
}
RELATIVE = {key.removeprefix("datasets/"): body for key, body in BODIES.items() if key.startswith("datasets/")}


@pytest.fixture
def server(start, gcs: Gcs):
    """A server that uses the emulator in Google's place."""
    return start(config=gcs.server_config())


def test_an_import_and_its_provenance(team: Team, gcs: Gcs) -> None:
    bucket = gcs.bucket(BODIES)
    gcs.put(bucket, "datasets/a.txt", BODIES["datasets/a.txt"], "text/plain")
    connector = team.connector(gcs, f"gs://{bucket}/datasets/")
    job = team.run_import(connector, "in/")
    assert job.objects_imported == len(RELATIVE)
    assert team.content() == {f"in/{path}": body for path, body in RELATIVE.items()}
    listed = gcs.listed(bucket)
    for row in team.listing():
        key = "datasets/" + row["path"].removeprefix("in/")
        metadata = row["entry"]["source_metadata"]
        assert metadata.pop("import_time").endswith("Z")
        assert metadata == {
            "connector_id": connector.id,
            "connector_type": "gcs",
            "source_path": f"gs://{bucket}/{key}",
            "version_id": listed[key]["generation"],
            "source_etag": f'"{listed[key]["etag"]}"',
            "import_job_id": job.id,
        }
        assert row["entry"]["content_type"] == listed[key]["contentType"]


def test_what_is_unchanged_is_not_read_again(team: Team, gcs: Gcs) -> None:
    bucket = gcs.bucket(BODIES)
    connector = team.connector(gcs, f"gs://{bucket}/datasets/")
    first = team.run_import(connector)
    same = team.run_import(connector)
    assert (same.commit_id, same.objects_imported) == (first.commit_id, len(RELATIVE))
    assert team.status(same)["objects_unchanged"] == len(RELATIVE)

    # The same bytes as another generation are another object: what the entry names must exist.
    written = gcs.put(bucket, "datasets/a.txt", b"hello")
    gcs.put(bucket, "datasets/new", b"new")
    gcs.delete(bucket, "datasets/b/empty")
    second = team.run_import(connector)
    assert second.commit_id != first.commit_id
    assert (second.objects_imported, team.status(second)["objects_unchanged"]) == (4, 2)
    rows = {row["path"]: row["entry"]["source_metadata"] for row in team.listing()}
    assert rows["a.txt"]["version_id"] == written["generation"]
    assert set(rows) == {*RELATIVE, "new"}, "an import only adds and replaces"


def test_an_overwritten_object_keeps_what_was_imported(team: Team, gcs: Gcs) -> None:
    bucket = gcs.bucket({"a": b"first"})
    connector = team.connector(gcs, f"gs://{bucket}/")
    first = team.run_import(connector).commit_id
    gcs.put(bucket, "a", b"second")
    assert team.content() == {"a": b"first"}
    second = team.run_import(connector).commit_id
    assert (team.content(), team.content(ref=first)) == ({"a": b"second"}, {"a": b"first"})
    assert first != second


def test_odd_keys_arrive_byte_for_byte(team: Team, gcs: Gcs) -> None:
    wanted = accepted(gcs)
    assert len(wanted) > 35, f"the emulator takes only {len(wanted)} of {len(ODD_KEYS)} keys"
    bucket = gcs.bucket(wanted)
    assert {key: gcs.read(bucket, key) for key in wanted} == wanted
    job = team.run_import(team.connector(gcs, f"gs://{bucket}/"))
    assert job.objects_imported == len(wanted)
    rows = team.listing(amount=7)
    assert [row["path"] for row in rows] == sorted(wanted, key=str.encode)
    for row in rows:
        assert row["entry"]["source_metadata"]["source_path"] == f"gs://{bucket}/{row['path']}"
    assert team.content() == wanted


def accepted(gcs: Gcs) -> dict[str, bytes]:
    """The keys that the emulator keeps apart: it takes some for others, such as `a//b` for `a/b`."""
    bucket = gcs.bucket({})
    kept = {}
    for key in ODD_KEYS:
        body = f"<{key}>".encode()
        try:
            gcs.put(bucket, key, body)
        except httpx.HTTPError:
            continue
        kept[key] = body
    listed = gcs.listed(bucket)
    return {key: body for key, body in kept.items() if key in listed and gcs.read(bucket, key) == body}


def google_team(start, gcs: Gcs) -> Team:
    server = start(config=gcs.google_config())
    return Team(server, tilde.Client(api_key=server.key, endpoint_url=server.url))


def test_an_account_signs_for_its_tokens(start, gcs: Gcs) -> None:
    team = google_team(start, gcs)
    bucket = gcs.bucket(BODIES)
    before = len(gcs.google.claims)
    connector = team.connector(gcs, f"gs://{bucket}/datasets/")
    job = team.run_import(connector)
    assert team.content() == RELATIVE
    assert team.status(job)["retries"] == 0
    claims = gcs.google.claims[before:]
    assert len(claims) == 1, "one token does for an import"
    assert (claims[0]["iss"], claims[0]["exp"] - claims[0]["iat"]) == (EMAIL, 3600)


BAD_KEYS = {
    "missing": None,
    "blank": "",
    "no JSON": "{",
    "a list": "[]",
    "a number": 7,
    "external_account": json.dumps({"type": "external_account", "audience": "//iam.googleapis.com/x"}),
    "authorized_user": json.dumps({"type": "authorized_user", "refresh_token": SECRET_KEY}),
    "no type": json.dumps({"client_email": EMAIL}),
    "no private key": json.dumps({"type": "service_account", "client_email": EMAIL}),
    "another key": json.dumps({"type": "service_account", "client_email": EMAIL, "private_key": SECRET_KEY}),
    "no account": json.dumps({"type": "service_account", "private_key": SECRET_KEY}),
}


@pytest.mark.parametrize("bad", BAD_KEYS)
def test_bad_credentials_are_refused_by_field(team: Team, bad: str) -> None:
    config = {"credentials_json": BAD_KEYS[bad], "project_id": "my-project"}
    config = {name: value for name, value in config.items() if value is not None}
    body = {"name": "c", "type": "gcs", "source_uri": "gs://a-bucket/", "config": config}
    connectors = f"{team.server.api}/organizations/my-team/connectors"
    for url in (connectors, f"{connectors}:test"):
        message = refused(team.http.post(url, json=body), 400)["message"]
        assert "credentials_json" in message
        assert SECRET_KEY not in message
    if bad in ("external_account", "authorized_user"):
        assert "service account" in message, "it says which credentials it takes"


def test_bad_connectors_are_refused_by_field(team: Team, gcs: Gcs) -> None:
    body = {"name": "c", "type": "gcs", "source_uri": "gs://a-bucket/", "config": gcs.config()}
    for change, named in [
        ({"source_uri": "s3://a-bucket/"}, "source_uri"),
        ({"source_uri": "gs://"}, "source_uri"),
        ({"config": gcs.config(endpoint="http://127.0.0.1:1")}, "endpoint"),
        ({"config": gcs.config(project_id=["x"])}, "project_id"),
        ({"type": "s3"}, "source_uri"),
    ]:
        answer = team.http.post(f"{team.server.api}/organizations/my-team/connectors", json=body | change)
        assert named in refused(answer, 400)["message"], change


def test_an_account_that_nobody_knows(start, gcs: Gcs) -> None:
    team = google_team(start, gcs)
    bucket = gcs.bucket({"a": b"1"})
    connector = team.connector(gcs, f"gs://{bucket}/", credentials_json=key_file(new_key()))
    job = team.finish(team.repository.imports.create_from_connector(connector.id, ""))
    assert (job.status, job.commit_id) == ("failed", "")
    tested = team.http.post(f"{team.server.api}/organizations/my-team/connectors/{connector.id}/test")
    for message in (job.error, refused(tested, 502, "SOURCE_TEST_FAILED")["message"]):
        assert "invalid_grant" in message
        assert "Invalid JWT Signature" not in message, "what a foreign server writes is not repeated"
        assert "PRIVATE KEY" not in message


def test_both_test_endpoints_and_a_missing_bucket(team: Team, gcs: Gcs) -> None:
    bucket = gcs.bucket({"d/a": b"1"})
    connector = team.connector(gcs, f"gs://{bucket}/d/")
    url = f"{team.server.api}/organizations/my-team/connectors"
    assert good(team.http.post(f"{url}/{connector.id}/test")) == {"status": "ok"}
    body = {"type": "gcs", "source_uri": f"gs://{bucket}/d/", "config": gcs.config()}
    assert good(team.http.post(f"{url}:test", json=body)) == {"status": "ok"}
    missing = body | {"source_uri": "gs://no-such-bucket-here/"}
    assert "no-such-bucket-here" in refused(team.http.post(f"{url}:test", json=missing), 502)["message"]
    connector = team.connector(gcs, "gs://no-such-bucket-here/", name="missing")
    job = team.finish(team.repository.imports.create_from_connector(connector.id, ""))
    assert job.status == "failed"
    assert "no-such-bucket-here" in job.error
