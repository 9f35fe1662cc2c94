"""The doctor on containers: RKNNLite looks for three paths as soon as there is a /.dockerenv."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.board import Environment

from rkbench.catalogue.check import FAIL, OK, Check

LIBRARY = "/usr/lib/librknnrt.so"
#: /proc/device-tree is a link to /sys/firmware/devicetree/base, which Docker hides, and nothing can be
#: mounted below /proc. Reports of users: airockchip/rknn-toolkit2#33, home-assistant/supervisor#4863.
SHOW_DEVICE_TREE = "--security-opt systempaths=unconfined"
MOUNT_DEVICE_TREE = "-v /sys/firmware/devicetree/base:/sys/firmware/devicetree/base:ro"
DEVICE_TREE_NOTE = (
    f"(users report that it works; instead of it {MOUNT_DEVICE_TREE} shows less of the board, and was never"
    " tried by us)"
)


def container_checks(environment: Environment) -> Iterator[Check]:
    """Return the verdict on what the container lacks, where there is one."""
    lacks = environment.container_lacks
    if lacks is None or environment.architecture not in (None, "aarch64"):
        return
    if not lacks:
        yield Check("container", OK, "container", "/.dockerenv; all that RKNNLite demands there is mounted")
        return
    options = {
        "/dev/dri/renderD129": "--device /dev/dri",
        "/proc/device-tree/compatible": SHOW_DEVICE_TREE,
        LIBRARY: f"-v {LIBRARY}:{LIBRARY}:ro",
    }
    needed = " ".join(options[path] for path in lacks if path in options)
    note = f" {DEVICE_TREE_NOTE}" if SHOW_DEVICE_TREE in needed else ""
    found = f"/.dockerenv is there, so RKNNLite demands what is missing: {', '.join(lacks)}"
    fix = f"start the container with {needed}{note}; no container at all? rm /.dockerenv; or --runtime capi"
    yield Check("container", FAIL, "container", found, fix)
