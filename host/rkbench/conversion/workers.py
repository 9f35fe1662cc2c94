"""Where conversions run: here, or on the workers of a Dask cluster (extra `dask`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from rkbench.errors import ConversionError, ToolkitError, UsageError
from rkbench.toolkit.environment import ToolkitEnvironment
from rkbench.toolkit.jobs import Answer, ConversionJob, Limits, run_job
from rkbench.toolkit.shipped import ShippedJobs
from rkbench.variants.onnx_digest import external_files

#: How long a scheduler may take to answer.
CONNECT_S = 10


class RunJob(Protocol):
    """What carries out a job: `rkbench.toolkit.jobs.run_job`, or the same elsewhere."""

    def __call__(
        self,
        environment: ToolkitEnvironment,
        job: ConversionJob,
        limits: Limits | None = None,
        stop: Any = None,
    ) -> Answer:
        """Return the answer of a job; raises ConversionError, ToolkitError."""


@dataclass(frozen=True)
class ConversionPlace:
    """What runs jobs, and how many at once; `slots` is None where that is for this computer to say."""

    run: RunJob
    slots: int | None = None


@contextmanager
def workers_at(address: str | None) -> Iterator[ConversionPlace]:
    """Yield the workers of a Dask scheduler (`tcp://HOST:PORT`), or this computer for None.

    Raises UsageError without the extra, ConversionError where no scheduler answers.
    """
    if address is None:
        yield ConversionPlace(run_job)
        return
    try:
        from dask import config
        from distributed import Client
    except ImportError as error:
        raise UsageError("--workers needs Dask", hint="pip install 'rkbench[dask]'") from error
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        text = f"no Dask scheduler at {address}: {error}"
        raise ConversionError(
            text, hint="start one: dask scheduler; then --workers tcp://HOST:8786"
        ) from error
    # A network travels whole, and once: there is nothing to load elsewhere, which Dask would advise.
    with config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}), client:
        offered = offers(client.scheduler_info(n_workers=-1)["workers"])
        run = ShippedJobs(executors(client, offered, address), address, external_files)
        yield ConversionPlace(run, max(1, int(sum(offered.values()))))


def offers(workers: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return how many conversions workers offer at once, by the resource that names a toolkit."""
    found: dict[str, float] = {}
    for worker in workers.values():
        for name, number in worker.get("resources", {}).items():
            if name.startswith("toolkit-"):
                found[name] = found.get(name, 0) + number
    return found


def resource_of(version: str) -> str:
    """Return what a worker that has this toolkit names among its resources."""
    return f"toolkit-{version}"


def executors(client: Any, offered: Mapping[str, float], address: str) -> Callable[[str], Executor]:
    """Return what gives an executor for a toolkit, which raises ToolkitError where no worker offers it."""

    def executor_for(version: str) -> Executor:
        name = resource_of(version)
        if not offered.get(name):
            raise ToolkitError(
                f"no worker of {address} offers {name}",
                hint=f"there: bench toolkit install {version}, and dask worker --resources {name}=1",
            )
        executor: Executor = client.get_executor(resources={name: 1}, pure=False)
        return executor

    return executor_for
