"""Ids of pushes, runs and nights: how they are made, shortened for the eye, and named by who types.

A push has a ULID in lower case (26 characters of Crockford's base 32: ten of time, sixteen by chance), so
that two hosts never make the same one; its runs are `<push>-NN`, and a night is `night-<ULID>`. The
first version's pushes have nine characters, and stay as they are. ULIDs of one week begin alike, so what
is shown is the end of one, and what is typed may be the start or the end.
"""

from __future__ import annotations

from collections.abc import Iterable

#: How much of the end of a ULID is shown at least: 30 bits, so that of 10,000 pushes hardly two end alike.
SHOWN_CHARACTERS = 6
_ULID_CHARACTERS = 26
_NIGHT = "night-"


def new_push_id(unix_s: float) -> str:
    """Return an id for a push that begins at `unix_s`; later ones sort after it."""
    from ulid import ULID  # 65 ms by itself, and only who measures needs it

    return str(ULID.from_timestamp(float(max(0.0, unix_s)))).lower()


def new_night_id(unix_s: float) -> str:
    """Return an id for a night that begins at `unix_s`."""
    return _NIGHT + new_push_id(unix_s)


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """Return for each id what to show of it: the end of its ULID, long enough to tell `ids` apart."""
    pushes = {run_id: _push(run_id) for run_id in ids}
    different = set(pushes.values())
    shown = next(
        count
        for count in range(SHOWN_CHARACTERS, _ULID_CHARACTERS + 1)
        if len({_end(push, count) for push in different}) == len(different) or count == _ULID_CHARACTERS
    )
    return {run_id: run_id.replace(push, _end(push, shown), 1) for run_id, push in pushes.items()}


def fits(name: str, full_id: str) -> bool:
    """Return whether `name` is the start of an id, or the end of its ULID with or without the run's number.

    Capitals count as small letters. An empty name fits nothing.
    """
    name = name.lower()
    if not name or full_id.startswith(name):
        return bool(name)
    if full_id.startswith(_NIGHT):
        full_id, name = full_id[len(_NIGHT) :], name.removeprefix(_NIGHT)
    end, _, number = name.partition("-")
    push, _, full_number = full_id.partition("-")
    return bool(end) and push.endswith(end) and full_number.startswith(number)


def has_wildcards(name: str) -> bool:
    """Return whether a name stands for several, by `*`, `?` or `[...]`."""
    return any(character in name for character in "*?[")


def _push(full_id: str) -> str:
    return full_id.removeprefix(_NIGHT).partition("-")[0]


def _end(push: str, count: int) -> str:
    """Return the last `count` characters of a ULID; an id of another shape is shown whole."""
    return push[-count:] if len(push) == _ULID_CHARACTERS else push
