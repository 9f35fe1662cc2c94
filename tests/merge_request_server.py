"""GitLab's notes and GitHub's issue comments on this computer, stricter than either.

What each takes stands in data/merge_request_apis.json: facts of the two published descriptions, which it
names. What a request lacks, or holds besides, is an error.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

TOKEN = "secret-of-the-test"
APIS = json.loads((Path(__file__).parent / "data/merge_request_apis.json").read_text())
#: Most items of a page, of both.
MOST_A_PAGE = 100
#: What the jobs of these tests are for; numbers of comments are any.
VALUES = {"owner": "ann", "repo": "nets", "issue_number": "5", "id": "7", "merge_request_iid": "5"}


@dataclass(frozen=True)
class Operation:
    """What one API does with one path."""

    fact: dict[str, Any]
    prefix: str

    def number(self, method: str, path: str) -> int | None:
        """Return the number of the comment that a request is for, 0 where for all; None: it is another's."""
        template = re.escape(self.prefix + self.fact["path"]).replace(r"\{", "{").replace(r"\}", "}")
        pattern = re.sub(r"{(\w+)}", lambda name: VALUES.get(name[1], r"(\d+)"), template)
        found = re.fullmatch(pattern, path)
        if found is None or method != self.fact["method"]:
            return None
        return int(found[1]) if found.groups() else 0

    def faults_of_query(self, text: str) -> list[str]:
        """Return what is wrong with the part behind the `?`."""
        found = parse_qs(text, strict_parsing=True) if text else {}
        known = self.fact.get("query", {})
        wrong = [f"query {name}" for name in found if name not in known or len(found[name]) > 1]
        numbers = [name for name in found if known.get(name) == "integer"]
        wrong += [f"query {name}={found[name][0]}" for name in numbers if not found[name][0].isdigit()]
        if int(found.get("per_page", ["1"])[0]) > MOST_A_PAGE:
            wrong.append(f"per_page {found['per_page'][0]}")
        return wrong

    def faults_of_body(self, document: Any) -> list[str]:
        """Return what is wrong with a document that was sent."""
        properties: dict[str, Any] = {name: {"type": kind} for name, kind in self.fact["body"].items()}
        properties["body"] |= {"minLength": 1, "maxLength": self.fact["longest"]}
        schema = {"type": "object", "properties": properties, "required": self.fact["required"]}
        strict = Draft202012Validator({**schema, "additionalProperties": False})
        return [error.message for error in strict.iter_errors(document)]


class MergeRequestServer(AbstractContextManager["MergeRequestServer"]):
    """`comments` are those of the merge request; `wrong` is what neither description knows.

    `answer` is sent instead of all answers, once set; 0 closes the connection without one.
    """

    def __init__(self) -> None:
        self.comments: dict[int, str] = {}
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self.answer: int | None = None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.take(self)

            do_POST = do_PUT = do_PATCH = do_GET

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def gitlab(self) -> dict[str, str]:
        """Return what a job of a merge request has in its environment."""
        job = {"CI_PROJECT_ID": "7", "CI_MERGE_REQUEST_IID": "5", "RKBENCH_COMMENT_TOKEN": TOKEN}
        return {**job, "CI_API_V4_URL": f"{self.url}/api/v4"}

    def github(self) -> dict[str, str]:
        """Return what a job of a pull request has in its environment."""
        job = {"GITHUB_REPOSITORY": "ann/nets", "GITHUB_REF": "refs/pull/5/merge", "GITHUB_TOKEN": TOKEN}
        return {**job, "GITHUB_API_URL": self.url}

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.requests.append(f"{request.command} {request.path}")
        data = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if self.answer is not None:
            if self.answer:
                request.send_response(self.answer)
                request.send_header("Location", f"{self.url}/elsewhere")
                request.end_headers()
            return
        parts = urlsplit(request.path)
        api = APIS["gitlab" if parts.path.startswith("/api/v4/") else "github"]
        self._check_headers(request, api["headers"])
        for fact in api["operations"]:
            operation = Operation(fact, api.get("prefix", ""))
            number = operation.number(request.command, parts.path)
            if number is not None:
                self.wrong += operation.faults_of_query(parts.query)
                self._do(request, operation, number, parts.query, data)
                return
        self.wrong.append(f"no such path: {request.command} {request.path}")
        self._send(request, 404, {"message": "404"})

    def _check_headers(self, request: BaseHTTPRequestHandler, wanted: dict[str, str]) -> None:
        for name, value in wanted.items():
            if request.headers.get(name) != value.format(token=TOKEN):
                self.wrong.append(f"{name}: {request.headers.get(name)}")
        if not request.headers.get("User-Agent"):
            self.wrong.append("no User-Agent")

    def _do(
        self, request: BaseHTTPRequestHandler, operation: Operation, number: int, query: str, data: bytes
    ) -> None:
        if "body" not in operation.fact:
            asked = {name: int(values[0]) for name, values in parse_qs(query).items()}
            count, page = asked.get("per_page", 30), asked.get("page", 1)
            items = [{"id": number, "body": body} for number, body in self.comments.items()]
            self._send(request, operation.fact["status"], items[(page - 1) * count : page * count])
            return
        if request.headers.get("Content-Type") != "application/json":
            self.wrong.append(f"Content-Type: {request.headers.get('Content-Type')}")
        document = json.loads(data)
        self.wrong += operation.faults_of_body(document)
        if number and number not in self.comments:
            self.wrong.append(f"no comment {number}")
        number = number or len(self.comments) + 1
        self.comments[number] = document["body"]
        self._send(request, operation.fact["status"], {"id": number, "body": document["body"]})

    def _send(self, request: BaseHTTPRequestHandler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
