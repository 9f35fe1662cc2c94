from rkbench.api.inspecting import Inspected as Inspected
from rkbench.api.inspecting import inspect as inspect
from rkbench.api.pushing import Push as Push
from rkbench.api.pushing import push as push
from rkbench.api.stored import Run as Run
from rkbench.api.stored import Runs as Runs
from rkbench.api.stored import runs as runs
from rkbench.errors import BenchError as BenchError

__version__: str
__all__ = ["BenchError", "Inspected", "Push", "Run", "Runs", "__version__", "inspect", "push", "runs"]
