"""A night's comment on a merge request: one a suite, edited, of what moved alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from merge_request_server import APIS, TOKEN, MergeRequestServer, Operation
from rkbench.nightly.commenting import told_comment
from rkbench.results.night import CellResult, GateResult, Night
from rkbench.stats.judging import Judgement
from rkbench.views.nightly.comment import comment_body, is_news, mark_of

FAILED = GateResult("p50 within 5%", "p50", "s", "fail", (Judgement("fail", 1.1, 1.0, 10.0, 9.0, 11.0),))
KEPT = GateResult("p99 <= 2s", "p99", "s", "pass", (Judgement("pass", 1.5),))
RED = Night(
    "night-1", "lab", "f", 1e9, 1e9, cells=(CellResult("m", "fp16", "rock", "default", gates=(FAILED, KEPT)),)
)
GREEN = replace(RED, id="night-2", cells=(replace(RED.cells[0], gates=(KEPT,)),))


@pytest.fixture
def server() -> Iterator[MergeRequestServer]:
    with MergeRequestServer() as found:
        yield found


def job(server: MergeRequestServer, kind: str) -> dict[str, str]:
    return server.gitlab() if kind == "gitlab" else server.github()


def told(environment: dict[str, str], night: Night) -> str:
    return told_comment(environment, comment_body(night), mark_of(night), is_news=is_news(night))


@pytest.mark.parametrize("kind", ["gitlab", "github"])
def test_a_second_run_edits_the_comment_of_its_suite(server: MergeRequestServer, kind: str) -> None:
    server.comments = dict.fromkeys(range(1, 151), "what somebody said")
    environment = job(server, kind)
    assert told(environment, RED) == "comment on the merge request: written"
    assert told(environment, replace(RED, id="night-3")) == "comment on the merge request: edited"
    assert told(environment, replace(RED, suite="other")) == "comment on the merge request: written"
    assert len(server.comments) == 152
    assert "night-3" in server.comments[151]
    assert server.wrong == []


def test_a_comment_has_what_moved_and_nothing_else(server: MergeRequestServer) -> None:
    told(server.github(), RED)
    (body,) = server.comments.values()
    assert body == (
        "<!-- rkbench night of lab -->\n\n**RED: lab, 1 crossed of 2 gates**\n\n"
        "- crossed: fp16 on rock: p50 within 5%: +10.0 % (95 %: +9.0 to +11.0 %), 1.00 s → 1.10 s\n\n"
        "night-1\n"
    )


def test_a_night_without_news_begins_no_comment_but_ends_one(server: MergeRequestServer) -> None:
    assert told(server.gitlab(), GREEN) == "comment on the merge request: nothing to tell"
    told(server.gitlab(), RED)
    assert told(server.gitlab(), GREEN) == "comment on the merge request: edited"
    assert "**GREEN: lab, all 1 gates kept**" in server.comments[1]
    assert server.wrong == []


def test_a_name_calls_nobody_and_ends_no_comment(server: MergeRequestServer) -> None:
    cell = replace(RED.cells[0], variant="--> @everyone #1 <img src=x>")
    told(server.github(), replace(RED, suite="a --> b", cells=(cell,)))
    (body,) = server.comments.values()
    assert body.startswith("<!-- rkbench night of a-----b -->\n")
    assert "@everyone" not in body
    assert " #1" not in body
    assert "\\<img" in body


@pytest.mark.parametrize("kind", ["gitlab", "github"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (500, "answered 500 → try it again"),
        (403, "answered 403 → the token may not comment"),
        (302, "answered 302"),
        (0, "try it again"),
    ],
)
def test_an_api_that_does_not_answer_is_told_and_costs_nothing(
    server: MergeRequestServer, kind: str, answer: int, words: str
) -> None:
    server.answer = answer
    line = told(job(server, kind), RED)
    assert words in line
    assert TOKEN not in line
    assert not [path for path in server.requests if "elsewhere" in path]


def test_a_job_of_a_fork_has_no_token_and_says_so(server: MergeRequestServer) -> None:
    environment = {**server.gitlab(), "RKBENCH_COMMENT_TOKEN": ""}
    assert told(environment, RED).startswith("no comment: there is no token, as in jobs of forks")
    assert server.requests == []


def test_a_job_of_no_merge_request_has_no_comment() -> None:
    assert told({"GITHUB_REPOSITORY": "ann/nets", "GITHUB_REF": "refs/heads/main"}, RED).startswith(
        "no comment: this is no job of a merge request"
    )


@pytest.mark.parametrize(
    ("api", "method", "path", "wrong"),
    [
        ("github", "PUT", "/repos/ann/nets/issues/comments/1", None),
        ("github", "PATCH", "/repos/ann/nets/issues/5/comments/1", None),
        ("gitlab", "PATCH", "/api/v4/projects/7/merge_requests/5/notes/1", None),
        ("gitlab", "POST", "/api/v4/projects/7/merge_requests/5/notes", []),
        ("github", "POST", "/repos/ann/nets/issues/5/comments", []),
    ],
)
def test_the_server_knows_the_paths_and_methods_of_either_api(
    api: str, method: str, path: str, wrong: list[str] | None
) -> None:
    operations = [Operation(fact, APIS[api].get("prefix", "")) for fact in APIS[api]["operations"]]
    (found, *_) = [*(item for item in operations if item.number(method, path) is not None), None]
    assert (found is None) == (wrong is None)
    if found is not None:
        assert found.faults_of_body({"body": "news"}) == wrong
        assert found.faults_of_body({"text": "news"}) != []
        assert found.faults_of_query("per_page=100") == ["query per_page"]
        assert operations[0].faults_of_query("per_page=101&page=1") == ["per_page 101"]
