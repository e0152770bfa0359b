"""The examples of the public documentation of connectors, word for word, and what a reader puts in their place.

Only the address of the service, credentials, ids and the endpoint of the storage are replaced.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

from servers import environment

CREATE_PYTHON = """
import tilde
org = tilde.organizations.get("my-team")
connector = org.connectors.create(
name="production-s3",
type="s3",
source_uri="s3://my-bucket/datasets/",
config={
"access_key_id": "AKIAIOSFODNN7EXAMPLE",
"secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
"region": "us-west-2",
},
)
"""

POLL_PYTHON = """
import time
while True:
    job.refresh()
    print(f"Status: {job.status}, Objects: {job.objects_imported}")
    if job.status in ("completed", "failed"):
        break
    time.sleep(2)
if job.status == "completed":
    print(f"Import done! Commit: {job.commit_id}")
elif job.status == "failed":
    print(f"Import failed: {job.error}")
"""

CREATE = """
curl -H "Authorization: Bearer YOUR_API_TOKEN" \\
-X POST https://tilde.run/api/v1/organizations/my-team/connectors \\
-H "Content-Type: application/json" \\
-d '{
"name": "production-s3",
"type": "s3",
"source_uri": "s3://my-bucket/datasets/",
"config": {
"access_key_id": "AKIAIOSFODNN7EXAMPLE",
"secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
"region": "us-west-2"
}
}'
"""

CREATE_WITH_ENDPOINT = """
curl -H "Authorization: Bearer YOUR_API_TOKEN" \\
-X POST https://tilde.run/api/v1/organizations/my-team/connectors \\
-H "Content-Type: application/json" \\
-d '{
"name": "my-minio",
"type": "s3",
"source_uri": "s3://my-bucket/",
"config": {
"access_key_id": "AKIAIOSFODNN7EXAMPLE",
"secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
"region": "us-east-1",
"endpoint": "https://minio.example.com:9000"
}
}'
"""

CREATE_GCS = """
curl -H "Authorization: Bearer YOUR_API_TOKEN" \\
-X POST https://tilde.run/api/v1/organizations/my-team/connectors \\
-H "Content-Type: application/json" \\
-d '{
"name": "production-gcs",
"type": "gcs",
"source_uri": "gs://my-bucket/datasets/",
"config": {
"credentials_json": "{\\"type\\":\\"service_account\\",\\"project_id\\":\\"my-project\\",...}",
"project_id": "my-project"
}
}'
"""

ATTACH = """
# Attach a connector to a repository
curl -H "Authorization: Bearer YOUR_API_TOKEN" \\
-X POST https://tilde.run/api/v1/organizations/my-team/repositories/my-data/connectors \\
-H "Content-Type: application/json" \\
-d '{"connector_id": "connector-uuid"}'
"""

LIST_ATTACHED = """
# List connectors attached to a repository
curl -H "Authorization: Bearer YOUR_API_TOKEN" \\
https://tilde.run/api/v1/organizations/my-team/repositories/my-data/connectors
"""

DETACH = """
# Detach a connector
curl -H "Authorization: Bearer YOUR_API_TOKEN" \\
-X DELETE https://tilde.run/api/v1/organizations/my-team/repositories/my-data/connectors/connector-uuid
"""

IMPORT = """
curl -H "Authorization: Bearer YOUR_API_TOKEN" \\
-X POST "https://tilde.run/api/v1/organizations/my-team/repositories/my-data/import" \\
-H "Content-Type: application/json" \\
-d '{
"connector_id": "connector-uuid",
"destination_path": "imported/datasets/",
"source_prefix": "datasets/",
"commit_message": "Import Q1 datasets"
}'
"""

IMPORT_FROM_REPOSITORY = """
curl -H "Authorization: Bearer YOUR_API_TOKEN" \\
-X POST "https://tilde.run/api/v1/organizations/my-team/repositories/my-data/import" \\
-H "Content-Type: application/json" \\
-d '{
"source_organization": "other-team",
"source_repository": "source-data",
"destination_path": "external/",
"source_prefix": "datasets/train/",
"commit_message": "Import training data from source-data"
}'
"""


ACCOUNT = r'"{\"type\":\"service_account\",\"project_id\":\"my-project\",...}"'


class Reader:
    """Somebody who follows the documentation with a server of their own."""

    def __init__(self, folder: pathlib.Path, url: str, key: str, endpoint: str, account: str) -> None:
        self.folder = folder
        self.url = url
        self.key = key
        self.replaced = {
            "https://tilde.run": url,
            "YOUR_API_TOKEN": key,
            "https://minio.example.com:9000": endpoint,
            # The key of an account stands in the example as a text in JSON.
            ACCOUNT: json.dumps(account),
        }
        (folder / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n%{http_code}"\n')

    def curl(self, example: str, connector: str = "") -> tuple[int, dict | None]:
        """Runs an example with the real curl; status and JSON of the answer."""
        for left, right in (self.replaced | {"connector-uuid": connector}).items():
            example = example.replace(left, right)
        env = environment(CURL_HOME=str(self.folder))
        words = ["bash", "-c", example]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=env, check=True)
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body) if body else None

    def python(self, *examples: str) -> str:
        """Runs examples as one script, with the client's environment variables; what it printed."""
        env = environment(TILDE_ENDPOINT_URL=self.url, TILDE_API_KEY=self.key, HOME=str(self.folder))
        words = [sys.executable, "-c", "\n".join(examples)]
        cwd = os.fspath(self.folder)
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=env, cwd=cwd, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
