"""From an address to an open store: a path is an SQLite file, a URL what its scheme is registered for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from rkbench.errors import UsageError
from rkbench.store.addresses import is_torn_url, scheme_of, without_password
from rkbench.store.base import Store

#: How long to wait for somebody else who writes.
WAIT_S = 10.0

#: The module behind each scheme; see `StoreModule`; it, and is imported when it is
#: needed. "" is a path.
STORES: dict[str, str] = {
    "": "rkbench.store.sqlite.store",
    "postgresql": "rkbench.store.postgres.store",
    "postgresql+psycopg": "rkbench.store.postgres.store",
}


class StoreModule(Protocol):
    """What the module of a kind of store has."""

    connect: Connect

    def check(self, address: str) -> None:
        """Raise UsageError for what is no address of such a store."""

    def migrate(self, address: str) -> str:
        """Bring the store at `address` to today's version, and return it; raises StoreError."""


class Connect(Protocol):
    """Opens the store at `address`; where `create` is set, one that is not there yet is made."""

    def __call__(self, address: str, *, wait_s: float, create: bool) -> Store:
        """Return it; raises StoreError."""


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where rkbench keeps what it must not lose: `rkbench` in the user's data folder."""
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "rkbench"


def default_address(environ: Mapping[str, str] = os.environ) -> str:
    """Return $RKBENCH_STORE, or `rkbench/results.sqlite` in the user's data folder."""
    return environ.get("RKBENCH_STORE") or str(data_folder(environ) / "results.sqlite")


def open_store(address: str | Path | None = None, *, wait_s: float = WAIT_S, create: bool = True) -> Store:
    """Return the store at `address` (None: `default_address()`), to be closed by its `with`.

    Raises UsageError for a scheme that nobody knows, StoreError where the store cannot be opened.
    """
    address = default_address() if address is None else str(address)
    return _module(address).connect(address, wait_s=wait_s, create=create)


def read_store(address: str | Path | None = None) -> Store:
    """Return the store at `address` for who only asks: a file that somebody named must be there.

    The user's own is made, as ever: a first `bench history` says that it is empty. Raises NoStoreError.
    """
    own = default_address()
    address = own if address is None else str(address)
    return open_store(address, create=address == own or bool(scheme_of(address)))


def migrate_store(address: str) -> str:
    """Bring the store at `address` to the version that this rkbench writes, and return it."""
    return _module(address).migrate(address)


def check_address(address: str | Path) -> None:
    """Raise UsageError where there can be no store at `address`; none is opened."""
    _module(str(address)).check(str(address))


def _module(address: str) -> StoreModule:
    if not address:
        raise UsageError(
            "the address of a store is empty", hint="a variable that is not set? echo $RKBENCH_STORE"
        )
    if is_torn_url(address):
        raise UsageError(
            f"{address.partition('/')[0]}/... is neither the URL of a store nor the path of one",
            hint="postgresql+psycopg://ROLE@HOST/DATABASE, with :// behind its first word",
        )
    scheme = scheme_of(address)
    if scheme not in STORES:
        known = ", ".join(f"{name}://..." for name in STORES if name)
        raise UsageError(
            f"no kind of result store is called {scheme!r}: {without_password(address)}",
            hint=f"give the path of a file{f', or {known}' if known else ''}: --store FILE",
        )
    try:
        return cast(StoreModule, importlib.import_module(STORES[scheme]))
    except ModuleNotFoundError as error:
        if (error.name or "rkbench").startswith("rkbench"):
            raise
        raise UsageError(
            f"a result store at {scheme}:// needs the package {error.name}",
            hint="install it: pip install 'rkbench[postgres]'",
        ) from error
