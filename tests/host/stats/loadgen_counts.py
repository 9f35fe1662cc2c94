"""Ask MLPerf's LoadGen itself whether so many calls carry a percentile: COUNT PERCENT FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

import mlperf_loadgen as loadgen

SUMMARY = "mlperf_log_summary.txt"


def early_stopping(count: int, percent: float, folder: Path) -> str:
    """Return what LoadGen's summary says of early stopping after `count` calls of a single stream."""
    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.SingleStream
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.single_stream_target_latency_percentile = percent / 100
    settings.min_query_count = settings.max_query_count = count
    settings.min_duration_ms = 0

    def issue(samples: list[loadgen.QuerySample]) -> None:
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in samples])

    sut = loadgen.ConstructSUT(issue, lambda: None)
    samples = loadgen.ConstructQSL(1, 1, lambda _: None, lambda _: None)
    output = loadgen.LogOutputSettings()
    output.outdir, output.copy_summary_to_stdout = str(folder), False
    log = loadgen.LogSettings()
    log.log_output, log.enable_trace = output, False
    loadgen.StartTestWithLogSettings(sut, samples, settings, log)
    lines = (folder / SUMMARY).read_text().splitlines()
    return "\n".join(line for line in lines if "Early" in line or line.lstrip().startswith("*"))


if __name__ == "__main__":
    print(early_stopping(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))
