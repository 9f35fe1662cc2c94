"""The doctor on what runs models: librknnrt, RKNNLite, Python and its packages, container traps."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.board import Environment, Library
from rkbench_agent.wire.words import LITE, VIRTUAL

from rkbench.boards.doctor.container import LIBRARY, container_checks
from rkbench.catalogue.check import FAIL, OK, WARN, Check
from rkbench.language.said import say
from rkbench.rknn.compatibility import RUNTIME_SOURCE

UNKNOWN_VERSION = "installed"
#: What stands in place of the library, in words.
KINDS = {
    "truncated": "cut short",
    "git_lfs_pointer": "a Git LFS pointer, not the library",
    "html": "a web page, not the library",
    "static_archive": "a static archive",
    "zip": "a zip archive",
    "gzip": "a gzip archive",
    "empty": "empty",
    "unreadable": "not readable",
    "unknown": "no ELF file",
}


def runtime_checks(environment: Environment, runtime: str) -> Iterator[Check]:
    """Return the verdicts on what `runtime` needs."""
    if runtime == VIRTUAL:
        found = "virtual: models NPU times and replays outputs; no librknnrt is needed"
        yield Check("runtime", OK, "runtime", found)
    else:
        yield from container_checks(environment)
        yield from _libraries(environment)
        yield from _lite(environment, runtime)
    yield from _python(environment, runtime)


def _libraries(environment: Environment) -> Iterator[Check]:
    libraries = environment.libraries or []
    if not libraries:
        found = "no librknnrt.so in /usr/lib or any other usual folder"
        yield Check("runtime", FAIL, "librknnrt", found, _install())
        return
    unfit = {library.path: _why_unfit(library, environment.elf_machine) for library in libraries}
    fit = [library for library in libraries if unfit[library.path] is None]
    for library in libraries:
        why = unfit[library.path]
        if why is not None:
            found = f"{library.path} is {why}: loading it ends in `invalid ELF header` or the like"
            verdict = WARN if fit and library.path != LIBRARY else FAIL
            yield Check("runtime_file", verdict, "librknnrt", found, _install())
    versions = sorted({str(library.version or "of unknown version") for library in fit})
    places = ", ".join(f"{library.version or '?'} in {library.path}" for library in fit)
    if len(versions) > 1:
        found = f"several versions: {places}; which one is loaded depends on who loads it"
        fix = say("keep one: RKNNLite loads {library}", library=LIBRARY)
        yield Check("runtime", WARN, "librknnrt", found, fix)
    elif fit:
        yield Check("runtime", OK, "librknnrt", places)


def _why_unfit(library: Library, machine: str | None) -> str | None:
    kind = str(library.kind)
    if kind != "elf":
        return KINDS.get(kind, kind)
    theirs = library.machine
    if machine and theirs and theirs != machine:
        return f"built for {theirs}, this Python runs on {machine}"
    return None


def _lite(environment: Environment, runtime: str) -> Iterator[Check]:
    subject, there = "rknn-toolkit-lite2", (environment.modules or {}).get("rknnlite", False)
    if environment.lite_version or there:
        yield Check("lite", OK, subject, environment.lite_version or UNKNOWN_VERSION)
    elif runtime == LITE:
        found = f"not installed for this Python ({environment.python_version or '?'})"
        fix = (
            "python3 -m pip install rknn-toolkit-lite2 (aarch64, Python 3.7 to 3.12); or name the Python that"
            " has it: bench boards add ... --python ~/venv/bin/python; or go without it: --runtime capi"
        )
        yield Check("lite", FAIL, subject, found, fix)
    else:
        yield Check("lite", OK, subject, "not installed; the C API does without")


def _python(environment: Environment, runtime: str) -> Iterator[Check]:
    yield Check("python", OK, "Python", environment.python_version or "of unknown version")
    modules = environment.modules or {}
    needed = {"numpy": environment.numpy_version or modules.get("numpy")}
    if runtime == LITE and (
        environment.lite_version or modules.get("rknnlite")
    ):  # else pip brings them along
        needed["psutil"] = environment.psutil_version or modules.get("psutil")
        needed["ruamel.yaml"] = modules.get("ruamel", True)
    for name, version in needed.items():
        code = name.partition(".")[0]
        if version:
            yield Check(code, OK, name, version if isinstance(version, str) else UNKNOWN_VERSION)
        else:
            fix = f"python3 -m pip install {name} (or: apt-get install -y python3-{name})"
            yield Check(code, FAIL, name, "not installed for this Python", fix)


def _install() -> str:
    return f"get librknnrt.so of your toolkit's version from {RUNTIME_SOURCE} and put it at {LIBRARY}"
