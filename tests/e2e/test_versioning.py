"""Imports by version: the latest version of each key, named in the provenance, whatever happens to the key later."""

from __future__ import annotations

import pytest
from servers import S3, SlowProxy, wait_until
from work import Team, good, refused


def versioned(s3: S3) -> str:
    bucket = s3.bucket({})
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def put(s3: S3, bucket: str, key: str, body: bytes) -> str:
    """Writes an object; its version."""
    return s3.client.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]


def run_by_version(team: Team, connector, destination: str = ""):
    job = team.finish(team.start(connector, destination, use_versioning=True))
    assert job.status == "completed", job.error
    return job


def version_ids(team: Team, **query: object) -> dict[str, str | None]:
    return {row["path"]: row["entry"]["source_metadata"].get("version_id") for row in team.listing(**query)}


@pytest.fixture
def history(s3: S3) -> tuple[str, dict[str, str]]:
    """A bucket with a past, and the latest version of each key that is there."""
    bucket = versioned(s3)
    for number in range(3):
        put(s3, bucket, "often", b"old %d" % number)
    put(s3, bucket, "gone", b"it was here")
    s3.client.delete_object(Bucket=bucket, Key="gone")
    put(s3, bucket, "back", b"before")
    s3.client.delete_object(Bucket=bucket, Key="back")
    latest = {
        "often": put(s3, bucket, "often", b"new"),
        "back": put(s3, bucket, "back", b"after"),
        "d/once": put(s3, bucket, "d/once", b"only"),
        # One that is read in pieces, each by its version.
        "large": put(s3, bucket, "large", b"version two " * 3_000_000),
    }
    s3.client.delete_object(Bucket=bucket, Key="never-was")
    return bucket, latest


def test_the_latest_version_of_each_key(team: Team, s3: S3, history: tuple[str, dict[str, str]]) -> None:
    bucket, latest = history
    connector = team.connector(s3, f"s3://{bucket}/")
    job = run_by_version(team, connector)
    assert (job.objects_imported, team.status(job)["use_versioning"]) == (len(latest), True)
    assert version_ids(team) == latest
    content = team.content()
    assert content.pop("large") == b"version two " * 3_000_000
    assert content == {"often": b"new", "back": b"after", "d/once": b"only"}
    metadata = team.listing(prefix="d/")[0]["entry"]["source_metadata"]
    assert (metadata["connector_type"], metadata["source_path"]) == ("s3", f"s3://{bucket}/d/once")


def test_what_is_unchanged_by_version_is_not_read_again(
    team: Team, s3: S3, history: tuple[str, dict[str, str]]
) -> None:
    bucket, latest = history
    connector = team.connector(s3, f"s3://{bucket}/")
    first = run_by_version(team, connector)
    same = run_by_version(team, connector)
    assert (same.commit_id, team.status(same)["objects_unchanged"]) == (first.commit_id, len(latest))

    # The same bytes as another version: what the entry names must be there.
    latest["often"] = put(s3, bucket, "often", b"new")
    second = run_by_version(team, connector)
    assert second.commit_id != first.commit_id
    assert team.status(second)["objects_unchanged"] == len(latest) - 1
    assert version_ids(team) == latest


def test_an_overwritten_object_keeps_its_bytes(team: Team, s3: S3) -> None:
    bucket = versioned(s3)
    first_version = put(s3, bucket, "a", b"first")
    connector = team.connector(s3, f"s3://{bucket}/")
    first = run_by_version(team, connector).commit_id
    second_version = put(s3, bucket, "a", b"second")
    assert team.content() == {"a": b"first"}
    second = run_by_version(team, connector).commit_id
    s3.client.delete_object(Bucket=bucket, Key="a")
    assert (team.content(), team.content(ref=first)) == ({"a": b"second"}, {"a": b"first"})
    assert version_ids(team) == {"a": second_version}
    assert version_ids(team, ref=first) == {"a": first_version}
    assert first != second


def test_an_object_is_overwritten_between_listing_and_reading(team: Team, s3: S3, slow) -> None:
    bucket = versioned(s3)
    count = 30
    wanted = {f"{number:03}": b"first %d" % number for number in range(count)}
    listed = {key: put(s3, bucket, key, body) for key, body in wanted.items()}
    proxy: SlowProxy = slow(s3.endpoint, 0.2)
    connector = team.connector(s3, f"s3://{bucket}/", endpoint=proxy.url)
    job = team.start(connector, use_versioning=True, concurrency=1)
    # All are listed in one page, so the last of them waits while the first ones are read.
    wait_until(lambda: team.status(job)["objects_imported"] >= 2, 60, "the first objects")
    last = f"{count - 1:03}"
    put(s3, bucket, last, b"second")
    assert team.status(job)["objects_imported"] < count
    team.finish(job)
    assert job.status == "completed", job.error
    assert team.content() == wanted, "the listed version was read, not the latest"
    assert version_ids(team) == listed


def test_a_bucket_without_versioning(team: Team, s3: S3) -> None:
    bucket = s3.bucket({"a": b"1", "b/c": b"22"})
    connector = team.connector(s3, f"s3://{bucket}/")
    run_by_version(team, connector)
    assert team.content() == {"a": b"1", "b/c": b"22"}
    assert version_ids(team) == {"a": None, "b/c": None}


def test_without_the_option_no_version_is_named(team: Team, s3: S3, history: tuple[str, dict[str, str]]) -> None:
    bucket, latest = history
    connector = team.connector(s3, f"s3://{bucket}/")
    job = team.run_import(connector)
    assert team.status(job)["use_versioning"] is False
    assert version_ids(team) == dict.fromkeys(latest)


def test_versions_need_a_truth_value(team: Team, s3: S3) -> None:
    connector = team.connector(s3, "s3://a-bucket/")
    body = {"connector_id": connector.id, "destination_path": "", "use_versioning": "yes"}
    assert "use_versioning" in refused(team.http.post("import", json=body), 400)["message"]
    assert good(team.http.get("import"))["results"] == []
