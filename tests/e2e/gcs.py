"""A second kind of source: Google Cloud Storage, as `gcp-storage-emulator` has it.

The emulator wants no token. In front of it there may be one that does, and that checks what a service account signs
with another library than the one that signed it.
"""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from servers import START_SECONDS_MAX, answers, environment, free_port, wait_until

SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EMAIL = "reader@my-project.iam.gserviceaccount.com"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_file(key: rsa.RSAPrivateKey, **changes: str) -> str:
    """The JSON key of a service account, as Google's console hands it out; its addresses lead nowhere."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fields = {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "0123456789abcdef",
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "client_id": "1234567890",
        "auth_uri": "http://127.0.0.1:1/auth",
        "token_uri": "http://127.0.0.1:1/token",
        "universe_domain": "googleapis.com",
    }
    return json.dumps(fields | changes)


class Google:
    """What Google has and the emulator lacks: tokens for accounts that sign for them, no answer without a token, and
    the generation beside the bytes. Everything else it passes on.
    """

    def __init__(self, public_key: rsa.RSAPublicKey, emulator: str) -> None:
        self.public_key = public_key
        self.claims: list[dict] = []
        self.tokens: set[str] = set()
        self.emulator = httpx.Client(base_url=emulator, timeout=30)
        google = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = google.token(self.path, dict(urllib.parse.parse_qsl(form)))
                self.answer(status, {"Content-Type": "application/json"}, json.dumps(answer).encode())

            def do_GET(self) -> None:
                self.answer(*google.object(self.path, self.headers))

            def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, path: str, form: dict[str, str]) -> tuple[int, dict]:
        header, claims, signature = form["assertion"].split(".")
        signed = f"{header}.{claims}".encode()
        try:
            self.public_key.verify(decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        told = json.loads(decoded(claims))
        self.claims.append(told)
        now = time.time()
        wanted = (path, form["grant_type"], json.loads(decoded(header))["alg"], told["aud"], told["scope"])
        if wanted != ("/token", GRANT, "RS256", AUDIENCE, SCOPE) or not told["iat"] - 60 < now < told["exp"]:
            return 400, {"error": "invalid_request"}
        token = f"ya29.{uuid.uuid4().hex}"
        self.tokens.add(f"Bearer {token}")
        return 200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def object(self, path: str, headers: Message) -> tuple[int, dict[str, str], bytes]:
        if headers.get("Authorization") not in self.tokens:
            return 401, {}, b""
        passed = {name: headers[name] for name in ("Range", "Accept-Encoding") if name in headers}
        told = self.emulator.get(path, headers=passed)
        kept = ("content-type", "content-range", "x-goog-hash")
        answer = {name: told.headers[name] for name in kept if name in told.headers}
        if "alt=media" in path and told.is_success:
            answer["x-goog-generation"] = self.emulator.get(path.split("?")[0]).json()["generation"]
        return told.status_code, answer, told.content

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.emulator.close()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Gcs:
    """The emulator, in a process of its own, and `Google` in front of it."""

    kind = "gcs"

    def __init__(self, folder: pathlib.Path) -> None:
        self.key = new_key()
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        program = pathlib.Path(sys.executable).with_name("gcp-storage-emulator")
        words = [str(program), "start", "--in-memory", "--host", "127.0.0.1", "--port", str(port)]
        with (folder / "gcs.log").open("wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env=environment())
        self.http = httpx.Client(base_url=self.endpoint, timeout=30)
        wait_until(lambda: answers(self.endpoint), START_SECONDS_MAX, "the emulator of Google Cloud Storage")
        self.google = Google(self.key.public_key(), self.endpoint)

    def bucket(self, objects: dict[str, bytes], name: str | None = None) -> str:
        """A bucket with exactly these objects; its name."""
        name = name or f"bucket-{uuid.uuid4().hex[:12]}"
        if self.http.get(f"/storage/v1/b/{name}").is_success:
            for key in self.listed(name):
                self.delete(name, key)
        else:
            self.http.post("/storage/v1/b", json={"name": name}).raise_for_status()
        for key, body in objects.items():
            self.put(name, key, body)
        return name

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> dict:
        """Writes an object; what the emulator tells of it."""
        params, headers = {"uploadType": "media", "name": key}, {"Content-Type": content_type}
        if not body:
            # The emulator breaks off at an empty upload, and takes an empty part of one.
            part = "--x\r\nContent-Type: {}\r\n\r\n{}\r\n"
            body = (part.format("application/json", "{}") + part.format(content_type, "") + "--x--").encode()
            params, headers = params | {"uploadType": "multipart"}, {"Content-Type": "multipart/related; boundary=x"}
        answer = self.http.post(f"/upload/storage/v1/b/{bucket}/o", params=params, content=body, headers=headers)
        return answer.raise_for_status().json()

    def delete(self, bucket: str, key: str) -> None:
        self.http.delete(f"/storage/v1/b/{bucket}/o/{urllib.parse.quote(key, safe='')}").raise_for_status()

    def listed(self, bucket: str) -> dict[str, dict]:
        """What the emulator lists, by key."""
        answer = self.http.get(f"/storage/v1/b/{bucket}/o").raise_for_status().json()
        return {item["name"]: item for item in answer.get("items", [])}

    def read(self, bucket: str, key: str) -> bytes | None:
        """The bytes of an object, if the emulator finds it again by its key."""
        answer = self.http.get(f"/storage/v1/b/{bucket}/o/{urllib.parse.quote(key, safe='')}", params={"alt": "media"})
        return answer.content if answer.is_success else None

    def config(self, **changes: str) -> dict[str, str]:
        """A connector's config that reaches it."""
        return {"credentials_json": key_file(self.key), "project_id": "my-project"} | changes

    def server_config(self) -> str:
        """The configuration of a server that uses the emulator as it is."""
        return f"sources:\n  gcs:\n    endpoint: {self.endpoint}\n    token_endpoint: none\n"

    def google_config(self) -> str:
        """The configuration of a server that goes through `Google` and needs tokens."""
        return f"sources:\n  gcs:\n    endpoint: {self.google.url}\n    token_endpoint: {self.google.url}\n"

    def stop(self) -> None:
        self.http.close()
        self.google.stop()
        self.process.kill()
        self.process.wait()
