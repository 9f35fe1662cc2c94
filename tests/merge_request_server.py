"""GitLab's notes and GitHub's issue comments on this computer, stricter than either.

Written after the documentation of both (GitHub REST: "Issue comments", 2022-11-28; GitLab REST: "Notes",
"Merge requests"): paths, methods, headers, the one property of a body. Their machine-readable schemas were
not at hand, so nothing is generated from them. What a request lacks, or holds besides, is an error.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

TOKEN = "secret-of-the-test"
BODY = Draft202012Validator(
    {
        "type": "object",
        "properties": {"body": {"type": "string", "minLength": 1, "maxLength": 65_536}},
        "required": ["body"],
        "additionalProperties": False,
    }
)
GITLAB = (
    r"/api/v4/projects/7/merge_requests/5/notes",
    r"/api/v4/projects/7/merge_requests/5/notes/(\d+)",
    "PUT",
)
GITHUB = (r"/repos/ann/nets/issues/5/comments", r"/repos/ann/nets/issues/comments/(\d+)", "PATCH")


class MergeRequestServer(AbstractContextManager["MergeRequestServer"]):
    """`comments` are those of the merge request; `wrong` is what neither documentation knows.

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
        path, is_gitlab = urlsplit(request.path), request.path.startswith("/api/v4/")
        collection, single, method = GITLAB if is_gitlab else GITHUB
        self._check_headers(request, is_gitlab=is_gitlab)
        if request.command == "GET" and re.fullmatch(collection, path.path):
            self._list(request, parse_qs(path.query, strict_parsing=True))
        elif request.command == "POST" and re.fullmatch(collection, path.path):
            self._write(request, len(self.comments) + 1, data, 201)
        elif request.command == method and (found := re.fullmatch(single, path.path)):
            self._write(request, int(found[1]), data, 200)
        else:
            self.wrong.append(f"no such path: {request.command} {request.path}")
            self._send(request, 404, {"message": "404"})

    def _check_headers(self, request: BaseHTTPRequestHandler, *, is_gitlab: bool) -> None:
        wanted = {"PRIVATE-TOKEN": TOKEN}
        if not is_gitlab:
            wanted = {"Authorization": f"Bearer {TOKEN}", "X-GitHub-Api-Version": "2022-11-28"}
            wanted |= {"Accept": "application/vnd.github+json"}
        for name, value in wanted.items():
            if request.headers.get(name) != value:
                self.wrong.append(f"{name}: {request.headers.get(name)}")
        if not request.headers.get("User-Agent"):
            self.wrong.append("no User-Agent")

    def _list(self, request: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
        if set(query) - {"per_page", "page"} or int(query["per_page"][0]) > 100:
            self.wrong.append(f"query {query}")
        count, page = int(query["per_page"][0]), int(query["page"][0])
        items = [{"id": number, "body": body} for number, body in self.comments.items()]
        self._send(request, 200, items[(page - 1) * count : page * count])

    def _write(self, request: BaseHTTPRequestHandler, number: int, data: bytes, status: int) -> None:
        if request.headers.get("Content-Type") != "application/json":
            self.wrong.append(f"Content-Type: {request.headers.get('Content-Type')}")
        document = json.loads(data)
        self.wrong += [error.message for error in BODY.iter_errors(document)]
        self.comments[number] = document["body"]
        self._send(request, status, {"id": number, "body": document["body"]})

    def _send(self, request: BaseHTTPRequestHandler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
