"""The words that host and agent share: constants alone, without imports.

`put` starts with nothing but these: the messages' dataclasses are most of what its start would take.
"""

PROTOCOL = 2
MAGIC = "rkbench-agent"
#: What the boot script says before an agent speaks: `need`, or `error KIND TEXT`.
BOOT_MARK = "rkbench-boot "
#: The line of the exporter's `install` and `uninstall` that the host reads: JSON follows.
EXPORTER_MARK = "rkbench-exporter-result "
#: How long a line may be silent, and how often each side speaks.
BEAT_INTERVAL_S = 5.0
SILENCE_LIMIT_S = 15.0

#: Where an agent keeps its files, and where a board's exporter listens, if nobody says otherwise.
DEFAULT_CACHE = "~/.cache/rkbench"
DEFAULT_EXPORTER_PORT = 9954

#: Phases of load memory, in order.
PHASES = ("before", "model_read", "runtime_initialised", "first_inference", "steady", "released")
#: Stages in which a run can fail.
STAGES = ("start", "load", "first_inference", "golden", "warmup", "inference", "release", "connection")
#: Words for why a run failed.
REASONS = (
    "runtime_error",  # the runtime refused or returned an error
    "crash",  # the worker died by a signal or an unexpected exit
    "hang",  # a stage took longer than its limit
    "out_of_memory",  # the kernel killed the worker for memory, or an allocation failed
    "missing",  # Python, numpy, rknnlite or librknnrt is not there
    "bad_input",  # the golden or the plan does not fit
    "cancelled",  # the host said so, or its end of the line is gone
)
#: Why a plan as a whole is refused, besides REASONS: another push holds the board.
BUSY = "busy"

#: Runtimes: `rkbench_agent.runtimes.registry` has one entry for each.
LITE, CAPI, CAPI_ZERO_COPY, VIRTUAL = "lite", "capi", "capi-zero-copy", "virtual"
RUNTIMES = (LITE, CAPI, CAPI_ZERO_COPY, VIRTUAL)
#: Scenarios, in MLPerf's words: a module of that name in `rkbench_agent.scenarios` each.
SINGLE_STREAM = "single_stream"
SCENARIOS = (SINGLE_STREAM,)
#: Names of core masks; which of them a SoC has: `socs.py`.
AUTO = "auto"
CORE_MASKS = (AUTO, "0", "1", "2", "0-1", "all")

#: Where a number comes from.
MEASURED = "measured"
VENDOR_SIMULATOR = "vendor_simulator"
MODELLED = "modelled"
FROM_FILE = "from_file"
PREDICTED = "predicted"
