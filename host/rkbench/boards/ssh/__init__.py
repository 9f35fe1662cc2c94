"""SSH: configuration, host keys, login, one connection with its channels. Only this room knows paramiko."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


class _ImportedOnUse(ModuleType):
    """Stands for a module that is imported when something of it is first asked for."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def _import_paramiko() -> None:
    """Import paramiko so that `invoke` waits until a `Match exec` of an ssh_config needs it.

    paramiko imports it for that alone, and it takes as long as half of paramiko itself.
    """
    if "paramiko" in sys.modules or "invoke" in sys.modules:
        return
    sys.modules["invoke"] = _ImportedOnUse("invoke")
    try:
        import paramiko  # noqa: F401
    finally:
        del sys.modules["invoke"]


_import_paramiko()
