"""Imports from another repository of the same server: the bytes are shared, and outlive where they came from."""

from __future__ import annotations

import hashlib

import pytest
import tilde
from servers import Moto, Tilde, wait_until
from test_keys import ODD_KEYS
from work import Team, good, refused

BODIES = {
    "datasets/train/a.txt": b"hello",
    "datasets/train/b/empty": b"",
    "datasets/train/b/packed.bin": hashlib.sha256(b"packed").digest() * 30_000,
    "datasets/train/pieces.bin": hashlib.sha256(b"pieces").digest() * 600_000,
    "datasets/test/no.txt": b"no",
}
TRAIN = "datasets/train/"
TAKEN = {key.removeprefix(TRAIN): body for key, body in BODIES.items() if key.startswith(TRAIN)}


@pytest.fixture
def source(server: Tilde, client: tilde.Client, moto: Moto) -> Team:
    """Another organization of the same user, whose repository holds BODIES."""
    source = Team(server, client, "other-team", "source-data")
    bucket = moto.bucket(BODIES)
    source.run_import(source.connector(moto, f"s3://{bucket}/"))
    return source


def stored_bytes(server: Tilde) -> int:
    return sum(path.stat().st_size for path in server.data.rglob("*") if path.is_file() and ".db" not in path.name)


def import_from(team: Team, path: str = "other-team/source-data", destination: str = "external/", **options: str):
    job = team.finish(team.repository.imports.create_from_repository(path, destination, **options))
    assert job.status == "completed", job.error
    return job


def test_the_client_imports_from_a_repository(team: Team, source: Team) -> None:
    head = next(iter(source.repository.commits.list()))
    before = stored_bytes(team.server)
    job = import_from(team, source_prefix=TRAIN, commit_message="Take the training data")
    assert job.objects_imported == len(TAKEN)
    assert stored_bytes(team.server) - before < 1 << 20, "bytes are shared, not copied"
    assert (job.source_organization, job.source_repository) == ("other-team", "source-data")
    assert job.source_repository_id == source.repository.id
    assert team.status(job)["connector_id"] is None
    assert team.status(job)["source_commit_id"] == head.id
    assert [c.message for c in team.repository.commits.list()] == ["Take the training data"]
    assert team.content() == {f"external/{path}": body for path, body in TAKEN.items()}
    objects = next(iter(team.repository.commits.list())).objects
    assert objects.get("external/pieces.bin", byte_range=(16_777_210, 16_777_230)).read() == (
        BODIES["datasets/train/pieces.bin"][16_777_210:16_777_231]
    )


def test_the_provenance_has_an_origin(team: Team, source: Team) -> None:
    head = next(iter(source.repository.commits.list()))
    job = import_from(team, source_prefix=TRAIN)
    before = {row["path"]: row["entry"] for row in source.listing(prefix=TRAIN)}
    for row in team.listing():
        path = TRAIN + row["path"].removeprefix("external/")
        metadata = row["entry"]["source_metadata"]
        assert metadata.pop("import_time").endswith("Z")
        assert metadata == {
            "connector_type": "repository",
            "source_path": f"tilde://other-team/source-data/{path}",
            "version_id": head.id,
            "source_etag": f'"{before[path]["e_tag"]}"',
            "import_job_id": job.id,
            "origin": before[path]["source_metadata"],
        }
        assert row["entry"]["e_tag"] == before[path]["e_tag"]
        assert row["entry"]["last_modified"] == before[path]["last_modified"]
    assert before[TRAIN + "a.txt"]["source_metadata"]["connector_type"] == "s3"


def test_an_origin_may_have_one_too(team: Team, source: Team) -> None:
    team.organization.repositories.create("between")
    between = team.client.repository("my-team/between")
    team.finish(between.imports.create_from_repository("other-team/source-data", "", source_prefix=TRAIN))
    import_from(team, "my-team/between", "", source_prefix="a.txt")
    metadata = team.listing()[0]["entry"]["source_metadata"]
    chain = []
    while metadata:
        chain.append(metadata["source_path"])
        metadata = metadata.get("origin")
    assert chain[:2] == ["tilde://my-team/between/a.txt", "tilde://other-team/source-data/datasets/train/a.txt"]
    assert (len(chain), chain[2].startswith("s3://")) == (3, True)


def test_the_source_goes_and_every_byte_stays(team: Team, source: Team) -> None:
    import_from(team, source_prefix=TRAIN)
    source.repository.delete()
    source.organization.delete()
    refused(team.http.get(f"{team.server.api}/organizations/other-team"), 404)
    assert team.content() == {f"external/{path}": body for path, body in TAKEN.items()}
    checked = team.server.check()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert team.server.stop() == 0
    team.server.start()
    again = team.server.http()
    url = "organizations/my-team/repositories/my-data/object"
    for path, body in TAKEN.items():
        assert again.get(url, params={"path": f"external/{path}"}).content == body


def test_again_only_what_changed(team: Team, source: Team, moto: Moto) -> None:
    first = import_from(team, source_prefix=TRAIN)
    same = import_from(team, source_prefix=TRAIN)
    assert (same.commit_id, same.objects_imported) == (first.commit_id, len(TAKEN)), "nothing changed: no new commit"
    assert team.status(same)["objects_unchanged"] == len(TAKEN)

    bucket = moto.bucket({"a.txt": b"changed"})
    source.run_import(source.connector(moto, f"s3://{bucket}/", name="second"), TRAIN)
    second = import_from(team, source_prefix=TRAIN)
    assert team.status(second)["objects_unchanged"] == len(TAKEN) - 1
    assert team.content()["external/a.txt"] == b"changed"
    assert team.content(ref=first.commit_id)["external/a.txt"] == b"hello"
    page = good(team.http.get("diff", params={"left": first.commit_id, "right": second.commit_id}))
    assert [(row["path"], row["status"]) for row in page["results"]] == [("external/a.txt", "modified")]


def test_odd_keys_and_prefixes(team: Team, moto: Moto) -> None:
    source = Team(team.server, team.client, "other-team", "source-data")
    bucket = moto.bucket({})
    kept = {}
    for key in ODD_KEYS:
        body = f"<{key}>".encode()
        moto.client.put_object(Bucket=bucket, Key=key, Body=body)
        kept[key] = body
    source.run_import(source.connector(moto, f"s3://{bucket}/"))
    there = source.content()
    assert len(there) > 40
    assert set(there) <= set(kept)
    import_from(team, destination="")
    assert team.content() == there
    import_from(team, destination="x", source_prefix="a/")
    wanted = {"x/" + key.removeprefix("a/"): body for key, body in there.items() if key.startswith("a/")}
    assert len(wanted) > 2
    assert {path: body for path, body in team.content(prefix="x/").items()} == wanted


def test_within_an_organization_and_into_itself(team: Team, moto: Moto) -> None:
    bucket = moto.bucket({"a": b"1", "d/b": b"2"})
    team.run_import(team.connector(moto, f"s3://{bucket}/"))
    import_from(team, "my-team/my-data", "copy")
    assert team.content() == {"a": b"1", "d/b": b"2", "copy/a": b"1", "copy/d/b": b"2"}


def test_nothing_to_import(team: Team, source: Team) -> None:
    job = import_from(team, source_prefix="no/such/prefix/")
    assert (job.objects_imported, job.commit_id) == (0, "")
    source.organization.repositories.create("empty")
    job = import_from(team, "other-team/empty")
    assert (job.objects_imported, job.commit_id) == (0, "")
    assert list(team.repository.commits.list()) == []


def test_options_of_an_import_from_a_repository(team: Team, source: Team) -> None:
    def start(**body: object):
        body = {"source_organization": "other-team", "source_repository": "source-data"} | body
        job = good(team.http.post("import", json=body | {"destination_path": "m/"}))["job_id"]
        return team.status(team.finish(team.repository.imports.get(job)))

    tried = start(dry_run=True, include=["*.txt"])
    assert (tried["status"], tried["preview"]["added"]["objects"], "commit_id" in tried) == ("completed", 2, False)
    assert team.listing() == []
    assert start(exclude=["*.bin"])["objects_imported"] == 3
    assert [row["path"] for row in team.listing()] == [
        "m/datasets/test/no.txt", "m/datasets/train/a.txt", "m/datasets/train/b/empty"
    ]
    mirrored = start(mode="mirror", source_prefix=TRAIN, max_delete_percent=100)
    assert (mirrored["status"], mirrored["objects_deleted"]) == ("completed", 3), mirrored
    assert team.content() == {f"m/{path}": body for path, body in TAKEN.items()}


def test_who_is_no_member_of_the_source_cannot_tell_it_from_nothing(team: Team, source: Team) -> None:
    stranger = team.server.http(team.server.add_user("stranger"))
    team.organization.members.create("stranger")
    url = "organizations/my-team/repositories/my-data/import"
    body = {"source_organization": "other-team", "source_repository": "source-data", "destination_path": "x/"}
    messages = set()
    for change in ({}, {"source_organization": "nobody"}, {"source_repository": "nothing"}):
        messages.add(refused(stranger.post(url, json=body | change), 404)["message"])
    assert len(messages) == 1, messages
    assert "other-team" not in messages.pop()
    refused(team.http.post("import", json=body | {"source_repository": "nothing"}), 404)
    assert good(team.http.get("import"))["results"] == []


def test_access_to_the_source_is_lost_while_the_import_waits(start, moto: Moto, slow) -> None:
    # With one place for all imports, the second one waits for the first.
    server = start(config="imports:\n  jobs: 1\n")
    client = tilde.Client(api_key=server.key, endpoint_url=server.url)
    team, source = Team(server, client), Team(server, client, "other-team", "source-data")
    bucket = moto.bucket({f"{number:03}": b"x" for number in range(200)})
    source.run_import(source.connector(moto, f"s3://{bucket}/"))
    key = server.add_user("stranger")
    for each in (team, source):
        member = each.organization.members.create("stranger")
    blocker = team.connector(moto, f"s3://{bucket}/", endpoint=slow(moto.endpoint, 0.2).url)
    first = team.start(blocker, "first/", concurrency=1)
    wait_until(lambda: first.refresh().status == "running", 30, "the first import to run")
    repository = tilde.Client(api_key=key, endpoint_url=server.url).repository("my-team/my-data")
    waiting = repository.imports.create_from_repository("other-team/source-data", "second/")
    assert waiting.status == "pending"
    source.organization.members.delete(member.user_id)
    good(team.http.post(f"import/{first.id}/cancel"))
    ended = team.finish(team.repository.imports.get(waiting.id))
    assert (ended.status, ended.commit_id) == ("failed", ""), ended
    assert "lost access to the source repository" in ended.error
    assert team.listing() == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"connector_id": "00000000-0000-4000-8000-000000000000"}, "not both"),
        ({"source_organization": None}, "source_organization"),
        ({"source_repository": None}, "source_repository"),
        ({"source_organization": None, "source_repository": None}, "connector_id"),
        ({"source_organization": 7}, "source_organization"),
        ({"source_prefix": "a\0b"}, "source_prefix"),
    ],
)
def test_bad_sources_are_refused_by_field(team: Team, change: dict, named: str) -> None:
    body = {"source_organization": "my-team", "source_repository": "my-data", "destination_path": ""} | change
    assert named in refused(team.http.post("import", json=body), 400)["message"]
