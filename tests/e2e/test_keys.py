"""Keys that are legal in S3 and easily broken on the way: they arrive byte for byte."""

from __future__ import annotations

import botocore.exceptions
from servers import S3
from work import Team, good

ODD_KEYS = [
    "plain", "a/b", "a//b", "a///b", "/lead", "//lead", "trail/", "trail//", "/", ".", "..", "dots/./x", "dots/../x",
    "../up", "...", ".hidden", "pct%20x", "pct%2Fx", "pct%", "pct%zz", "pct%2520", "a+b", "a b", " lead", "trail ",
    "q?x=1&y=2", "h#x", "a=b;c", "http://host/x", "a:b@c", "~", "!$'()*,", "[x]{y}|z^`", "<&>", "&amp;", "]]>",
    '"quoted"', "it's", "back\\slash", "$HOME", "caf\u00e9", "cafe\u0301", "\u65e5\u672c\u8a9e.txt",
    "\U0001f600/\U0001f9ea", "\u05e9\u05dc\u05d5\u05dd", "zero\u200bwidth", "Case", "case", "CON", "tab\there",
    "x" * 900 + "/" + "y" * 123,
]


def accepted(s3: S3, bucket: str) -> dict[str, bytes]:
    """The keys that the source itself takes and gives back unchanged."""
    kept = {}
    for key in ODD_KEYS:
        body = f"<{key}>".encode()
        try:
            s3.client.put_object(Bucket=bucket, Key=key, Body=body)
            if s3.client.get_object(Bucket=bucket, Key=key)["Body"].read() == body:
                kept[key] = body
        except botocore.exceptions.ClientError:
            continue
    pages = s3.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    listed = {row["Key"] for page in pages for row in page.get("Contents", [])}
    for key in listed - set(kept):
        s3.client.delete_object(Bucket=bucket, Key=key)
    return {key: body for key, body in kept.items() if key in listed}


def test_odd_keys_arrive_byte_for_byte(team: Team, s3: S3) -> None:
    bucket = s3.bucket({})
    wanted = accepted(s3, bucket)
    assert len(wanted) > 40, f"{s3.name} takes only {len(wanted)} of {len(ODD_KEYS)} keys"
    job = team.run_import(team.connector(s3, f"s3://{bucket}/"))
    assert job.objects_imported == len(wanted)
    rows = team.listing(amount=7)
    assert [row["path"] for row in rows] == sorted(wanted, key=str.encode)
    for row in rows:
        assert row["entry"]["source_metadata"]["source_path"] == f"s3://{bucket}/{row['path']}"
    assert team.content() == wanted
    objects = next(iter(team.repository.commits.list())).objects
    assert {path: objects.get(path).read() for path in wanted} == wanted


def test_prefixes_are_plain_strings(team: Team, s3: S3) -> None:
    keys = ["data/x", "data/x/y", "data//x", "data-2/x", "data"]
    bucket = s3.bucket({key: key.encode() for key in keys})
    connector = team.connector(s3, f"s3://{bucket}/data")
    cases = {
        # source_prefix -> paths below the destination
        "": ["/x", "x", "x/y"],
        "x": ["x", "x/y"],
        "x/": ["y"],
        "data/x": ["x", "x/y"],
        "data//": ["x"],
    }
    for number, (prefix, paths) in enumerate(cases.items()):
        job = team.run_import(connector, f"case-{number}", source_prefix=prefix)
        assert job.objects_imported == len(paths), prefix
        page = good(team.http.get("objects", params={"prefix": f"case-{number}/"}))
        assert [row["path"] for row in page["results"]] == [f"case-{number}/{path}" for path in paths], prefix
