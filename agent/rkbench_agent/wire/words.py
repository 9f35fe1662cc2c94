"""The words that host and agent share: constants alone, without imports.

`put` starts with nothing but these: the messages' dataclasses are most of what its start would take.
"""

PROTOCOL = 2
MAGIC = "rkbench-agent"
#: What the boot script says before an agent speaks: `need`, or `error KIND TEXT`.
BOOT_MARK = "rkbench-boot "
#: The line of the exporter's `install` and `uninstall` that the host reads: JSON follows.
EXPORTER_MARK = "rkbench-exporter-result "
#: What the line of a recorded board begins with.
RECORD_MARK = "rkbench-record "
#: How long a line may be silent, and how often each side speaks.
BEAT_INTERVAL_S = 5.0
SILENCE_LIMIT_S = 15.0

#: Where an agent keeps its files, and where a board's exporter listens, if nobody says otherwise.
DEFAULT_CACHE = "~/.cache/rkbench"
DEFAULT_EXPORTER_PORT = 9954

#: How the unit of a progress ends whose total may never be reached: the host may end it before.
AT_MOST = "at most"

#: Phases of load memory, and stages in which a run can fail; the first inference is both.
BEFORE, MODEL_READ, RUNTIME_INITIALISED = "before", "model_read", "runtime_initialised"
FIRST_INFERENCE, STEADY, RELEASED = "first_inference", "steady", "released"
START, LOAD, GOLDEN, WARMUP, INFERENCE = "start", "load", "golden", "warmup", "inference"
RELEASE, CONNECTION = "release", "connection"
#: What a run waits for before its load: a board that is cool, and one that others leave alone.
COOLING, CALMING = "cooling", "calming"
#: In order.
PHASES = (BEFORE, MODEL_READ, RUNTIME_INITIALISED, FIRST_INFERENCE, STEADY, RELEASED)
STAGES = (START, LOAD, FIRST_INFERENCE, GOLDEN, WARMUP, INFERENCE, RELEASE, CONNECTION)
#: Words for why a run failed: the runtime refused or returned an error; the worker died by a signal or an
#: unexpected exit; a stage took longer than its limit; the kernel killed the worker for memory, or an
#: allocation failed; Python, numpy, rknnlite or librknnrt is not there; the golden or the plan does not fit;
#: the host said so, or its end of the line is gone; the user pressed Ctrl-C.
RUNTIME_ERROR, CRASH, HANG, OUT_OF_MEMORY = "runtime_error", "crash", "hang", "out_of_memory"
MISSING, BAD_INPUT, CANCELLED, INTERRUPTED = "missing", "bad_input", "cancelled", "interrupted"
REASONS = (RUNTIME_ERROR, CRASH, HANG, OUT_OF_MEMORY, MISSING, BAD_INPUT, CANCELLED, INTERRUPTED)
#: Why a plan as a whole is refused, besides REASONS: another push holds the board.
BUSY = "busy"

#: Runtimes: `rkbench_agent.runtimes.registry` has one entry for each.
LITE, CAPI, CAPI_ZERO_COPY, VIRTUAL = "lite", "capi", "capi-zero-copy", "virtual"
RUNTIMES = (LITE, CAPI, CAPI_ZERO_COPY, VIRTUAL)
#: Scenarios, in MLPerf's words: a module of that name in `rkbench_agent.scenarios` each.
SINGLE_STREAM, OFFLINE, SERVER, SOAK = "single_stream", "offline", "server", "soak"
#: Not MLPerf's: a second model beside.
INTERFERENCE = "interference"
SCENARIOS = (SINGLE_STREAM, OFFLINE, SERVER, SOAK, INTERFERENCE)
#: Names of core masks; which of them a SoC has: `socs.py`.
AUTO = "auto"
CORE_MASKS = (AUTO, "0", "1", "2", "0-1", "all")
#: How several contexts lie on the cores: all with one mask, or each on the next core.
SPREAD = "spread"
PLACEMENTS = (*CORE_MASKS, SPREAD)

#: Parts of a board with a clock of their own; a CPU part goes on with the name of its policy.
NPU, DDR, CPU = "NPU", "DDR", "CPU"

#: Where a number comes from.
MEASURED = "measured"
VENDOR_SIMULATOR = "vendor_simulator"
#: By rkbench's own model of the NPU, from the register commands in the file.
COMPUTED = "computed"
#: `source` of a replay whose outputs are such; other replays are of the vendor's simulator.
COMPUTED_SOURCE = "rkbench NPU model"
MODELLED = "modelled"
FROM_FILE = "from_file"
PREDICTED = "predicted"

# Why outputs may be another network's.
INPUT_LAYOUT = "input_layout"
OUTPUT_LAYOUT = "output_layout"
NORMALISATION = "normalisation"
CHANNEL_ORDER = "channel_order"
CASE_ORDER = "case_order"
OTHER_MODEL = "other_model"
#: In the order in which they are suspected where nothing tells.
CAUSES = (INPUT_LAYOUT, OUTPUT_LAYOUT, NORMALISATION, CHANNEL_ORDER, CASE_ORDER, OTHER_MODEL)
