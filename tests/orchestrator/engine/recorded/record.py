#!/usr/bin/env python3
"""Records what a container engine answers, for the fake engine of the unit tests.

    record.py SOCKET REGISTRY/REPOSITORY@sha256:... > docker-20.10.24.json

The engine must hold the image (a busybox), and nothing of value: containers called shoal-record are
made and removed. What tells of the machine (paths, kernel) is left out.
"""

import http.client
import json
import socket
import sys
import time
import urllib.parse

PRIVATE = {"GraphDriver", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "SandboxKey",
           "SandboxID", "KernelVersion", "Components"}
INFO = {"Containers", "Driver", "RegistryConfig", "ServerVersion"}
COMMAND = "echo out; echo err >&2; trap 'exit 7' TERM; while :; do sleep 0.1; done"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def call(path, method, target, document=None):
    connection = UnixConnection(path)
    body = None if document is None else json.dumps(document)
    headers = {} if body is None else {"Content-Type": "application/json"}
    connection.request(method, target, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def without_private(value):
    if isinstance(value, dict):
        return {name: without_private(one) for name, one in value.items() if name not in PRIVATE}
    if isinstance(value, list):
        return [without_private(one) for one in value]
    return value


def public(name, content):
    """The body as text, or as hex where it is none."""
    try:
        text = content.decode("ascii")
        if "\0" in text:
            raise UnicodeError
    except UnicodeError:
        return {"body_hex": content.hex()}
    try:
        document = json.loads(text)
    except ValueError:
        return {"body": text}
    document = without_private(document)
    if name == "info":
        document = {key: document[key] for key in document if key in INFO}
    return {"body": json.dumps(document, separators=(",", ":"))}


class Recorder:
    def __init__(self, path):
        self.path = path
        self.answers = {}

    def __call__(self, name, method, target, document=None):
        answer, content = call(self.path, method, "/v1.41" + target, document)
        kept = {key: value for key, value in answer.getheaders()
                if key in ("Api-Version", "Libpod-Api-Version", "Server", "Content-Type")}
        self.answers[name] = {"request": f"{method} {target}", "status": answer.status,
                              "headers": kept, **public(name, content)}
        return content


def record(path, image):
    name, digest = image.split("@")
    quoted = urllib.parse.quote(image, safe="")
    query = urllib.parse.urlencode({"fromImage": name, "tag": digest})
    labels = {"shoal.owner": "c1", "shoal.service": "web", "shoal.slot": "shoal-record",
              "shoal.generation": "3", "shoal.spec-hash": "sha256:" + "1" * 64,
              "shoal.image-digest": digest, "shoal.image": "web:1"}
    document = {"Image": image, "Cmd": ["sh", "-c", COMMAND], "Labels": labels,
                "HostConfig": {"NetworkMode": "host"}}
    for one in ("shoal-record", "shoal-record2"):
        call(path, "DELETE", f"/v1.41/containers/{one}?force=1&v=1")
    call(path, "DELETE", f"/v1.41/images/{quoted}")

    at = Recorder(path)
    begun = int(time.time())
    at("ping", "GET", "/_ping")
    at("version", "GET", "/version")
    at("info", "GET", "/info")
    at("pull", "POST", "/images/create?" + query)
    at("pull-again", "POST", "/images/create?" + query)
    missing = urllib.parse.urlencode({"fromImage": name, "tag": "none"})
    at("pull-unknown-tag", "POST", "/images/create?" + missing)
    away = urllib.parse.urlencode({"fromImage": "127.0.0.1:1/app", "tag": "none"})
    at("pull-registry-away", "POST", "/images/create?" + away)
    at("image", "GET", f"/images/{quoted}/json")
    other = urllib.parse.quote(image.replace("@", "/other@"), safe="")
    at("image-of-other-repository", "GET", f"/images/{other}/json")
    create = "/containers/create?name=shoal-record"
    at("create", "POST", create, document)
    at("create-name-taken", "POST", create, document)
    unknown = {**document, "Image": image[:-12] + "0" * 12}
    at("create-image-unknown", "POST", create + "2", unknown)
    at("create-name-invalid", "POST", "/containers/create?name=a%20b", document)
    at("stop-never-started", "POST", "/containers/shoal-record/stop?t=1")
    at("start", "POST", "/containers/shoal-record/start")
    at("start-again", "POST", "/containers/shoal-record/start")
    at("inspect-running", "GET", "/containers/shoal-record/json")
    filters = urllib.parse.quote(json.dumps({"label": ["shoal.owner=c1"]}))
    at("list", "GET", f"/containers/json?all=1&filters={filters}")
    run = {"AttachStdout": True, "AttachStderr": True, "Cmd": ["sh", "-c", "echo hi; exit 3"]}
    made = json.loads(at("exec", "POST", "/containers/shoal-record/exec", run))["Id"]
    at("exec-start", "POST", f"/exec/{made}/start", {"Detach": False, "Tty": False})
    at("exec-inspect", "GET", f"/exec/{made}/json")
    at("logs", "GET", "/containers/shoal-record/logs?stdout=1&stderr=1&timestamps=1")
    at("remove-running", "DELETE", "/containers/shoal-record?v=1")
    at("rename", "POST", "/containers/shoal-record/rename?name=shoal-record2")
    at("create-second", "POST", create, document)
    at("rename-name-taken", "POST", "/containers/shoal-record2/rename?name=shoal-record")
    at("stop", "POST", "/containers/shoal-record2/stop?t=5")
    at("stop-again", "POST", "/containers/shoal-record2/stop?t=5")
    at("inspect-exited", "GET", "/containers/shoal-record2/json")
    at("kill-exited", "POST", "/containers/shoal-record2/kill")
    at("wait-exited", "POST", "/containers/shoal-record2/wait")
    at("image-remove-in-use", "DELETE", f"/images/{quoted}")
    at("remove", "DELETE", "/containers/shoal-record2?v=1")
    at("remove-again", "DELETE", "/containers/shoal-record2?v=1")
    at("start-unknown", "POST", "/containers/shoal-record2/start")
    at("inspect-unknown", "GET", "/containers/shoal-record2/json")
    call(path, "DELETE", "/v1.41/containers/shoal-record?force=1&v=1")
    at("image-remove", "DELETE", f"/images/{quoted}")
    at("image-unknown", "GET", f"/images/{quoted}/json")
    at("events", "GET", f"/events?since={begun}&until={int(time.time()) + 1}")
    return at.answers


if __name__ == "__main__":
    json.dump(record(sys.argv[1], sys.argv[2]), sys.stdout, indent=1)
    print()
