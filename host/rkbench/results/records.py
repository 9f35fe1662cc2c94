"""What a run was made of and under: the board, the variant, the plan, and how the file got there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from rkbench_agent.wire.plan import RunSettings


@dataclass(frozen=True)
class BoardRecord:
    """The board as it was before the run. `clock_unix_ns` is its own wall clock (it may be 1970)."""

    name: str
    soc: str | None = None
    chip: str | None = None
    board_model: str | None = None
    kernel: str | None = None
    driver_version: str | None = None
    runtime: str | None = None
    runtime_version: str | None = None
    lite_version: str | None = None
    numpy_version: str | None = None
    python_version: str | None = None
    agent_version: str | None = None
    agent_digest: str | None = None
    npu_cores: int | None = None
    npu_devfreq: str | None = None
    ddr_devfreq: str | None = None
    npu_governor: str | None = None
    npu_clock_hz: int | None = None
    npu_max_clock_hz: int | None = None
    ddr_governor: str | None = None
    ddr_clock_hz: int | None = None
    cpu_governors: Mapping[str, str] | None = None
    passive_trips_celsius: Mapping[str, float] | None = None
    cpu_count: int | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    is_root: bool | None = None
    boot_id: str | None = None
    clock_unix_ns: int | None = None


@dataclass(frozen=True)
class PredictedLatency:
    """What the NPU tasks of a file foretell of `rknn_run` on one core at the highest clocks; not measured.

    The band is None where the file is outside of what was fitted.
    """

    latency_s: float
    low_s: float | None = None
    high_s: float | None = None
    provisional: str | None = None
    """Why the fit of its SoC is to be trusted less."""


@dataclass(frozen=True)
class WorstPart:
    """The part of an output, `index` along `axis`, whose SNR over all cases is the lowest.

    Parts without any error, or of which zeros are expected, have none.
    """

    axis: int
    index: int
    snr_db: float


@dataclass(frozen=True)
class SimulatorError:
    """The error of one output in the vendor's simulator, against the golden: over all cases, as of `Output`.

    The worst cosine, SNR and maximum, the mean error; `top1_agreement` is None where the golden tells no
    classes. `snr_infinite` says which infinity the SNR is where `snr_db` is None, as in `Output`.
    `worst_part` is None where it has no parts, none of them an SNR, or an older rkbench wrote it.
    """

    name: str
    cases: int
    cosine: float | None = None
    max_abs_error: float | None = None
    mean_abs_error: float | None = None
    top1_agreement: float | None = None
    snr_db: float | None = None
    snr_infinite: int = 0
    worst_part: WorstPart | None = None


@dataclass(frozen=True)
class MadeFrom:
    """How `bench convert` made a file: recipe, digest of the ONNX, the key of all that decides the result.

    `calibration` says with what integers were calibrated, None for floats. `simulator` holds an error for
    each output where the simulator was asked the golden that was pushed.
    """

    recipe: str
    key: str
    onnx_sha256: str
    calibration: str | None = None
    is_calibrated_on_noise: bool = False
    simulator: tuple[SimulatorError, ...] = ()


FallbackKind = Literal["cpu", "float"]
#: On the CPU instead of the NPU; in float instead of integers.
ON_CPU: Final = "cpu"
IN_FLOAT: Final = "float"


@dataclass(frozen=True)
class FallbackLayer:
    """A layer that computes elsewhere than the rest: on the CPU, or in float in a quantized file.

    `node` is its index in the .rknn. One that does both is there twice.
    """

    kind: FallbackKind
    node: int
    name: str
    op: str


@dataclass(frozen=True)
class Variant:
    """One deployable file, as its own header describes it; shapes are the source model's (NCHW).

    `output_steps`: of each output the step of the one scale that it is quantized with, None for floats.
    `is_baseline`: the kept model of a night's baseline, measured beside the night's own.
    """

    name: str
    sha256: str
    size_bytes: int
    target: str | None = None
    npu_generation: str | None = None
    container_version: int | None = None
    toolkit_version: str | None = None
    compiler_version: str | None = None
    framework: str | None = None
    input_shapes: tuple[tuple[int, ...], ...] = ()
    input_dtypes: tuple[str, ...] = ()
    output_steps: tuple[float | None, ...] = ()
    predicted: PredictedLatency | None = None
    """None in simulated runs, and of files whose NPU tasks cannot be decoded."""
    is_baseline: bool = False
    made: MadeFrom | None = None
    """None where no record of `bench convert` stands beside the file."""
    cpu_layers: int | None = None
    float_layers: int | None = None
    """How many layers compute on the CPU, and how many in float: in a float file all that compute."""
    fallbacks: tuple[FallbackLayer, ...] = ()


@dataclass(frozen=True)
class PlanRecord(RunSettings):
    """Under what settings the run was made. `golden_sha256` is the digest of what was pushed.

    `other` and `other_sha256` are the second model of the scenario `interference`. `minimize` is the word of
    the measure that the variants are ranked by; "": they are not. `question` is a digest of what a sweep
    asked, so that it asks nothing twice; "" outside of one.
    """

    variants_in_push: int = 1
    golden_sha256: str | None = None
    replay_sha256: str | None = None
    other: str | None = None
    other_sha256: str | None = None
    minimize: str = ""
    question: str = ""


@dataclass(frozen=True)
class TransferRecord:
    """What it took to have one file on the board; `cached` means that the board had it.

    `sent_bytes` went over the line; `resumed_bytes` are those that an upload before, which broke off, had
    brought. `codec` is how they travelled (zlib, stored); None where nothing was sent.
    """

    model_bytes: int
    sent_bytes: int
    cached: bool
    duration_s: float | None = None
    resumed_bytes: int = 0
    codec: str | None = None
