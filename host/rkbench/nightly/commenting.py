"""A night's comment on the merge request that CI runs for: one comment a suite, edited by the next run.

GitLab's notes and GitHub's issue comments, by the variables that their CI sets. The token is in the
environment alone; no redirection is followed with it.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rkbench.errors import CommentError

#: The token of either; GitHub's own is used too, where it is passed on.
TOKEN = "RKBENCH_COMMENT_TOKEN"
LIMIT_S = 20.0
#: As many comments as a page of either API holds, and so many pages are looked through.
_A_PAGE, _MOST_PAGES = 100, 20
_PULL = re.compile(r"refs/pull/(\d+)/.*")
GITLAB, GITHUB = "gitlab", "github"


@dataclass(frozen=True)
class MergeRequest:
    """Where comments go: `comments` lists and takes them, `edit` with a number behind changes one."""

    kind: str
    comments: str
    edit: str
    token: str

    def headers(self) -> dict[str, str]:
        """Return what a request says besides what it wants."""
        common = {"User-Agent": "rkbench", "Content-Type": "application/json"}
        if self.kind == GITLAB:
            return {**common, "Accept": "application/json", "PRIVATE-TOKEN": self.token}
        version = {"X-GitHub-Api-Version": "2022-11-28", "Accept": "application/vnd.github+json"}
        return {**common, **version, "Authorization": f"Bearer {self.token}"}


def told_comment(environment: Mapping[str, str], body: str, mark: str, *, is_news: bool) -> str:
    """Return what became of a comment on the merge request of this CI job, in one line: it never fails a
    night."""
    try:
        request = merge_request_of(environment)
        return f"comment on the merge request: {comment(request, body, mark, is_news=is_news)}"
    except CommentError as error:
        return f"{error.message} → {error.hint}" if error.hint else error.message


def merge_request_of(environment: Mapping[str, str]) -> MergeRequest:
    """Return the merge request that this CI job is for; raises CommentError where it is for none, and
    without a token, as in a fork's."""
    base, project, number = (
        environment.get(name, "") for name in ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_MERGE_REQUEST_IID")
    )
    if base and project and number:
        notes = f"{base}/projects/{quote(project, safe='')}/merge_requests/{quote(number, safe='')}/notes"
        return MergeRequest(GITLAB, notes, notes, _token(environment.get(TOKEN)))
    repository, pull = (
        environment.get("GITHUB_REPOSITORY", ""),
        _PULL.fullmatch(environment.get("GITHUB_REF", "")),
    )
    if repository and pull:
        issues = f"{environment.get('GITHUB_API_URL') or 'https://api.github.com'}/repos/{quote(repository)}/issues"
        token = _token(environment.get(TOKEN) or environment.get("GITHUB_TOKEN"))
        return MergeRequest(GITHUB, f"{issues}/{pull[1]}/comments", f"{issues}/comments", token)
    raise CommentError(
        "no comment: this is no job of a merge request",
        hint="GitLab sets CI_MERGE_REQUEST_IID in its pipelines, GitHub GITHUB_REF for pull_request",
    )


def comment(request: MergeRequest, body: str, mark: str, *, is_news: bool) -> str:
    """Write `body` in place of the comment that begins with `mark`, else as a new one; returns what was done.

    Without `is_news` none is begun. Raises CommentError.
    """
    earlier = _earlier(request, mark)
    if earlier is not None:
        method = "PUT" if request.kind == GITLAB else "PATCH"
        _asked(request, method, f"{request.edit}/{earlier}", {"body": body})
        return "edited"
    if not is_news:
        return "nothing to tell"
    _asked(request, "POST", request.comments, {"body": body})
    return "written"


def _token(found: str | None) -> str:
    if not found:
        raise CommentError(
            "no comment: there is no token, as in jobs of forks, which get no secrets",
            hint=f"elsewhere: {TOKEN} with a token that may comment",
        )
    return found


def _earlier(request: MergeRequest, mark: str) -> int | None:
    """Return the number of the comment that begins with `mark`, by whoever the token is."""
    for page in range(1, _MOST_PAGES + 1):
        found = _asked(request, "GET", f"{request.comments}?per_page={_A_PAGE}&page={page}", None)
        if not isinstance(found, list):
            raise CommentError("no comment: the API answered with no list of comments")
        for item in found:
            if isinstance(item, dict) and str(item.get("body", "")).startswith(mark):
                return int(item["id"])
        if len(found) < _A_PAGE:
            break
    return None


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none: the token is for this server."""


def _asked(request: MergeRequest, method: str, url: str, document: dict[str, str] | None) -> Any:
    data = None if document is None else json.dumps(document).encode()
    asked = urllib.request.Request(url, data, request.headers(), method=method)
    opener = urllib.request.build_opener(_NoRedirection)
    place = f"{method} {url}"
    try:
        with opener.open(asked, timeout=LIMIT_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            hint = "the token may not comment here" if error.code in (401, 403, 404) else "try it again"
        raise CommentError(f"no comment: {place} answered {error.code}", hint=hint) from error
    except (OSError, ValueError) as error:
        raise CommentError(f"no comment: {place}: {error}", hint="try it again") from error
