"""Whether a model can run on a board: container × runtime × driver × NPU, before a byte is sent.

Source of the table: 110 files of known toolkits, and the refusals of librknnrt 1.3 to 1.6 in public
issues (`Invalid RKNN model version 6` and its kin). What is not known speaks neither for nor against.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rkbench.catalogue.check import FAIL, OK, WARN, Check
from rkbench.language.said import say
from rkbench.rknn.contents import FileInfo
from rkbench.versions import parse_version

#: The oldest librknnrt that loads a container, by the container's version byte.
OLDEST_RUNTIME: dict[int, tuple[int, ...]] = {1: (0,), 2: (1, 3), 4: (1, 5, 0), 6: (1, 5, 2)}
#: The oldest driver that a librknnrt accepts ("requires driver version >= 0.7.0"), by the runtime's version.
OLDEST_DRIVER: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (((1, 5), (0, 7, 0)),)
#: What librknnrt recommends ("recommend to upgrade the driver to the new version: >= 0.8.8" in 1.5.2).
RECOMMENDED_DRIVER: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (((1, 5), (0, 8, 8)),)
MINI_TARGETS = ("rv1103", "rv1106")
RUNTIME_SOURCE = (
    "https://github.com/airockchip/rknn-toolkit2/tree/master/rknpu2/runtime/Linux/librknn_api/aarch64"
)


@dataclass(frozen=True)
class BoardFacts:
    """What counts of a board; None where it is not known."""

    soc: str | None = None
    npu_generation: str | None = None
    runtime_version: str | None = None
    driver_version: str | None = None


def check_model(model: FileInfo, board: BoardFacts) -> tuple[Check, ...]:
    """Return what speaks for and against running `model` on `board`: npu, container, toolkit."""
    checks = (_npu(model, board), _container(model, board), _toolkit(model, board))
    return tuple(replace(check, model=model.path.name) for check in checks)


def check_driver(runtime_version: str | None, driver_version: str | None) -> Check | None:
    """Return whether the kernel's driver is new enough for the runtime; None where one is not known."""
    runtime, driver = parse_version(runtime_version), parse_version(driver_version)
    if runtime is None or driver is None:
        return None
    needed, recommended = _least(OLDEST_DRIVER, runtime), _least(RECOMMENDED_DRIVER, runtime)
    fix = say("update the board's kernel (vendor 5.10 or 6.1 with rknpu 0.9.x): the driver is part of it")
    if needed is not None and driver < needed:
        found = f"{driver_version}; librknnrt {runtime_version} requires {_text(needed)} or newer"
        return Check("driver", FAIL, "NPU driver", found, fix)
    if recommended is not None and driver < recommended:
        found = f"{driver_version}; librknnrt {runtime_version} recommends {_text(recommended)} or newer"
        return Check("driver", WARN, "NPU driver", found, fix)
    return Check("driver", OK, "NPU driver", f"rknpu {driver_version}")


def _npu(model: FileInfo, board: BoardFacts) -> Check:
    subject = "NPU"
    told = f"compiled for {model.target or 'a SoC that it does not name'} ({model.npu_generation or '?'})"
    if model.npu_generation and board.npu_generation and model.npu_generation != board.npu_generation:
        found = f"{told}, the board is an {board.soc} ({board.npu_generation})"
        fix = f"convert it with target_platform='{board.soc}', or overrule the header: --force"
        return Check("model_npu", FAIL, subject, found, fix)
    if model.mini and model.target in MINI_TARGETS:
        found = f"{told}: a mini container (0x1004), which only librknnmrt loads"
        fix = f"convert it with target_platform='{board.soc or 'rk3588'}'"
        return Check("model_npu", FAIL, subject, found, fix)
    if board.npu_generation is None or not model.npu_generation:
        return Check("model_npu", WARN, subject, f"{told}; whether that is the board's is not known")
    return Check("model_npu", OK, subject, told)


def _container(model: FileInfo, board: BoardFacts) -> Check:
    subject = "container"
    version = model.container_version
    runtime, oldest = parse_version(board.runtime_version), OLDEST_RUNTIME.get(version)
    if model.mini:
        found = "a mini container (0x1004, mini_rknn=True): made for librknnmrt; librknnrt may refuse it"
        return Check("model_container", WARN, subject, found, say("convert it without mini_rknn"))
    if oldest is None:
        return Check("model_container", WARN, subject, f"version {version}: newer than any that is known")
    if version == 1:
        return Check("model_container", OK, subject, "version 1: every librknnrt loads it")
    if runtime is None:
        return Check(
            "model_container", OK, subject, f"version {version}: needs librknnrt {_text(oldest)} or newer"
        )
    found = (
        f"version {version} needs librknnrt {_text(oldest)} or newer, the board has {board.runtime_version}"
    )
    if runtime >= oldest:
        return Check("model_container", OK, subject, found)
    return Check("model_container", FAIL, subject, found, _install(model.toolkit_version or _text(oldest)))


def _toolkit(model: FileInfo, board: BoardFacts) -> Check:
    subject = "toolkit"
    made = f"made with rknn-toolkit2 {model.toolkit_version or 'of a version that it does not tell'}"
    toolkit, runtime = parse_version(model.toolkit_version), parse_version(board.runtime_version)
    if toolkit is None or runtime is None:
        return Check("model_toolkit", OK, subject, made)
    found = f"{made}, the board has librknnrt {board.runtime_version}"
    if runtime[:3] < toolkit[:3]:
        return Check("model_toolkit", WARN, subject, f"{found}: older", _install(model.toolkit_version))
    return Check("model_toolkit", OK, subject, found)


def _install(version: str) -> str:
    plain = re.match(r"[\d.]+", version)
    wanted = plain.group().rstrip(".") if plain else version
    return say(
        "install librknnrt.so {wanted} or newer as /usr/lib/librknnrt.so ({source})",
        wanted=wanted,
        source=RUNTIME_SOURCE,
    )


def _least(
    table: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...], runtime: tuple[int, ...]
) -> tuple[int, ...] | None:
    return next((driver for since, driver in table if runtime >= since), None)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
