"""The doctor on the device nodes: is there one, and may the user open it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from rkbench_agent.wire.board import DeviceNode, Environment

from rkbench.catalogue.check import FAIL, OK, WARN, Check

#: What makes udev give a node to the group render, by the kind of the node: /dev/rknpu is a misc device.
_RULES = {
    "drm": 'SUBSYSTEM=="drm", KERNEL=="renderD*|card*"',
    "rknpu": 'SUBSYSTEM=="misc", KERNEL=="rknpu"',
}


def node_checks(environment: Environment) -> Iterator[Check]:
    """Return the verdict on the nodes through which librknnrt reaches the NPU."""
    nodes = [node for node in environment.device_nodes or [] if node.kind != "accel"]
    if not nodes:
        yield _none(environment)
        return
    told = ", ".join(f"{node.path} ({node.mode} {node.owner}:{node.group})" for node in nodes)
    closed = [node for node in nodes if not node.openable]
    user = environment.user or "the user"
    if not closed:
        yield Check("device_node", OK, "device node", f"{told}; {user} may open it")
        return
    which = " and ".join(str(node.path) for node in closed)
    verdict = FAIL if len(closed) == len(nodes) else WARN
    found = f"{told}; {user} may not open {which}"
    yield Check(
        "permission", verdict, "device node", found, _open_them(closed, quote(environment.user or "USER"))
    )


def _none(environment: Environment) -> Check:
    found = "none: /dev/dri has no node of the NPU, and there is no /dev/rknpu"
    fix = ""
    if environment.container_lacks is not None and environment.architecture in (None, "aarch64"):
        fix = "start the container with --device /dev/dri (or --privileged)"
    elif environment.npu_driver == "rocket":
        found = "none that librknnrt could open: the NPU's is rocket's own, an accel device"
    elif environment.npu_driver == "rknpu":
        fix = "dmesg | grep -i rknpu tells why the driver made none"
    return Check("device_node", FAIL, "device node", found, fix)


def _open_them(closed: Sequence[DeviceNode], user: str) -> str:
    """Return how the user gets the groups of the nodes; those that no group may open need a udev rule."""
    bare = [node for node in closed if node.group == "root" or not _is_open_to_group(node)]
    groups = ",".join(sorted({quote(node.group) for node in closed if node not in bare}))
    kinds = {"rknpu" if node.kind == "rknpu" else "drm" for node in bare}
    if not kinds:
        return f"sudo usermod -aG {groups} {user}, then log in anew"
    lines = "".join(f'{_RULES[kind]}, GROUP="render", MODE="0660"\\n' for kind in sorted(kinds))
    return (
        f"an udev rule: printf '{lines}' | sudo tee /etc/udev/rules.d/99-npu.rules; sudo groupadd -f render;"
        f" sudo usermod -aG {','.join(filter(None, (groups, 'render')))} {user}; reboot"
    )


def _is_open_to_group(node: DeviceNode) -> bool:
    return len(node.mode) >= 2 and node.mode[-2] in "67"
