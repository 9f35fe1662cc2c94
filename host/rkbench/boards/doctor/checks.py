"""What a board lacks for running models, or for running them well, and how to get it: pure.

`board_checks` judges what the agent read (its `Environment`); where the agent could not even start,
`unreached_checks` says what is known instead. Every check has a stable code; a fix is a command there.
"""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.words import VIRTUAL

from rkbench.boards.doctor.container import DEVICE_TREE_NOTE, SHOW_DEVICE_TREE
from rkbench.boards.doctor.nodes import node_checks
from rkbench.boards.doctor.runtime import runtime_checks
from rkbench.boards.doctor.system import system_checks
from rkbench.catalogue.check import FAIL, OK, WARN, Check
from rkbench.errors import (
    AuthenticationError,
    BenchError,
    ConnectError,
    HostKeyError,
    NoPythonError,
    NoSpaceError,
)
from rkbench.language.said import say
from rkbench.rknn.targets import npu_generation


def board_checks(
    environment: Environment, runtime: str, host_unix_ns: int | None = None
) -> tuple[Check, ...]:
    """Return the verdicts on a board that shall run models with `runtime` (lite, capi or virtual).

    `host_unix_ns` is the host's clock when `environment` arrived; None leaves the skew unjudged.
    """
    return tuple(
        check
        for checks in (
            _soc(environment, runtime),
            _driver(environment, runtime),
            () if runtime == VIRTUAL else node_checks(environment),
            runtime_checks(environment, runtime),
            system_checks(environment, runtime, host_unix_ns),
        )
        for check in checks
    )


def unreached_checks(error: BenchError) -> tuple[Check, ...]:
    """Return what is known of a board on which no agent could start, from the error that said so."""
    if isinstance(error, ConnectError):
        kinds = ((HostKeyError, "host_key"), (AuthenticationError, "login"))
        code = next((code for kind, code in kinds if isinstance(error, kind)), "ssh")
        return (Check(code, FAIL, "SSH", error.message, error.hint),)
    reached = Check("ssh", OK, "SSH", "a session came about")
    if isinstance(error, NoSpaceError):
        return (reached, Check("free_space", FAIL, "free space", error.message, error.hint))
    if not isinstance(error, NoPythonError):
        return (reached, Check("agent", FAIL, "agent", error.message, error.hint))
    fix = "on the board: apt-get install -y python3 (3.8 or newer)"
    return (reached, Check("python", FAIL, "Python", error.message, f"{fix}\n{error.hint}".strip()))


def is_npu_board(environment: Environment) -> bool:
    """Return whether the board could have an NPU at all: its SoC is known, or a driver shows one."""
    return npu_generation(environment.soc) is not None or environment.npu_driver is not None


def _soc(environment: Environment, runtime: str) -> Iterator[Check]:
    kernel = f"Linux {environment.kernel or 'of unknown version'} on {environment.architecture or '?'}"
    model = environment.board_model
    chip = f"{environment.chip} (an {environment.soc})" if environment.chip else None
    name = chip if environment.chip != environment.soc else environment.soc
    told = ", ".join(part for part in (name or environment.soc, model, kernel) if part)
    known = npu_generation(environment.soc) is not None
    if known:
        cores = environment.npu_cores
        count = f"{cores} NPU core{'' if cores == 1 else 's'}" if cores else "unknown number of NPU cores"
        yield Check("soc", OK, "SoC", f"{told}; {count} ({npu_generation(environment.soc)})")
    elif runtime == VIRTUAL:
        yield Check("soc", WARN, "SoC", f"{told}: the virtual runtime takes models of every SoC here")
    elif environment.soc:
        found = f"{told}: no SoC whose NPU this program knows"
        yield Check("soc", WARN, "SoC", found, "models must be converted for this very SoC")
    elif environment.compatible:
        found = f"{told}: the device tree names no Rockchip SoC ({', '.join(environment.compatible)})"
        yield Check("soc", FAIL, "SoC", found, "use a board with an RK3566, RK3568 or RK3588")
    else:
        found = f"{told}: no device tree, so no Rockchip board that RKNNLite would recognise"
        fix = (
            "use a board with an RK3566, RK3568 or RK3588; in a container on one, add"
            f" {SHOW_DEVICE_TREE} {DEVICE_TREE_NOTE}. No board at hand: --board virtual"
        )
        yield Check("soc", FAIL, "SoC", found, fix)


def _driver(environment: Environment, runtime: str) -> Iterator[Check]:
    if runtime == VIRTUAL:
        return
    if environment.npu_driver == "rocket":
        found = "mainline's rocket drives the NPU; librknnrt speaks to the vendor's rknpu only"
        fix = (
            "boot the vendor's kernel (5.10 or 6.1 with CONFIG_ROCKCHIP_RKNPU); or stay with mainline and run"
            " the .tflite through Mesa's Teflon, which takes no .rknn and which this program does not measure"
        )
        yield Check("driver", FAIL, "NPU driver", found, fix)
    elif environment.driver_version:
        from rkbench.rknn.compatibility import check_driver

        judged = check_driver(environment.runtime_version, environment.driver_version)
        yield judged or Check("driver", OK, "NPU driver", f"rknpu {environment.driver_version}")
    elif environment.npu_driver == "rknpu":
        found = "rknpu is there; its version cannot be read"
        fix = say("as root: dmesg | grep -i 'initialized rknpu'")
        yield Check("driver", OK if environment.is_root is False else WARN, "NPU driver", found, fix)
    else:
        fix = (
            "modprobe rknpu; if there is no such module, boot the vendor's kernel (CONFIG_ROCKCHIP_RKNPU=y,"
            " and the npu node enabled in the device tree)"
        )
        fix = fix if is_npu_board(environment) else ""
        yield Check("driver", FAIL, "NPU driver", "no rknpu driver in the kernel", fix)
