"""Emulated boards for the tests: aarch64 user land, real RKNNLite, real or doubled librknnrt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from double_build import has_compiler
from emulated_board import BoardFactory, EmulatedBoard, missing_tools, start_board

FIRST_LIMIT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test on a machine makes the root file system: half a minute, some minutes on a busy one."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(FIRST_LIMIT_S), append=False)


@pytest.fixture(scope="session")
def can_emulate() -> None:
    """Skip the test, with the reason, where boards cannot be emulated."""
    reason = missing_tools()
    if reason:
        pytest.skip(f"no emulated boards here: {reason}")


@pytest.fixture(scope="session")
def emulated_board(can_emulate: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardFactory]:
    """Return `emulated_board(soc, tier="T1", env={...})`, which yields a running board.

    Equal arguments give the same board within a session; all are stopped at its end. A test that
    changes a board asks with an `env` of its own.
    """
    boards: dict[tuple[str, str, tuple[tuple[str, str], ...]], EmulatedBoard] = {}

    def board(soc: str, *, tier: str, env: dict[str, str] | None = None) -> EmulatedBoard:
        key = (soc, tier, tuple(sorted((env or {}).items())))
        if key not in boards:
            state = tmp_path_factory.mktemp(f"{soc}-{tier}") / "board"
            boards[key] = start_board(soc, tier, state, env)
        return boards[key]

    yield board
    for started in boards.values():
        started.stop()


@pytest.fixture(params=["x86_64", "aarch64"])
def architecture(request: pytest.FixtureRequest) -> str:
    """Both architectures that the doubles are built for; skips the one without a compiler."""
    name: str = request.param
    if not has_compiler(name):
        pytest.skip(f"no C compiler for {name}: apt install gcc gcc-aarch64-linux-gnu")
    return name


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of .rknn files made with toolkit 2.5.0."""
    return Path(__file__).parents[1] / "data/models"
