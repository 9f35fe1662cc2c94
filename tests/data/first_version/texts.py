"""What the user of the first version wrote by hand; make.py lets that version read and edit it."""

from __future__ import annotations

#: Every key that the first version knows, and the ways in which people write TOML.
INVENTORY = """\
# Our boards. Ask Ann before you move a cable.

[boards.desk] # the one with the fan
host = "127.0.0.1"
port = @DESK_PORT@ # sshd listens beside dropbear
user = "ann"
soc = "rk3588"
tags = [
    "lab", # everybody's
    "desk",
]
python = "~/venv/bin/python"
become = "sudo -n"
cache_dir = "/var/cache/rkbench"
cache_limit_bytes = 2_000_000_000
runtime = "capi"
identity_files = ["~/.ssh/id_lab", '~/.ssh/id_old']
exporter_port = 9960

# Behind the old gateway: slow.
[boards."attic"]
host = "192.0.2.20"
user = "ann"
tags = ["lab"]

# -- virtual boards ---------------------------------------------------
[boards.shelf]
host = "virtual"
soc = "rk3588"
tags = ["nightly"]
behaviour = "~/lab/shelf.json" # how it misbehaves

[boards]
layers = { host = "virtual", behaviour = "~/lab/layers.json" }
crashing = { host = "virtual", behaviour = "~/lab/crashing.json" }
hanging = { host = "virtual", behaviour = "~/lab/hanging.json" }

# They stay: exporters live there.
[boards.porch]
host = "virtual"
home = "~/boards/porch"
behaviour = "~/lab/porch.json"

[boards.balcony]
host = "virtual"
home = "~/boards/balcony"

[boards.cellar]
host = "virtual"
home = "~/boards/cellar"
"""

FAILED = "E RKNN: [00:00:00.000] failed to submit!, op id: 0, op name: , flags: 0x5, int status: 0"
BEHAVIOURS = {
    "shelf": {"seed": 1},
    "porch": {},
    "crashing": {
        "crash": {"stage": "inference", "iteration": 40, "signal": "SIGSEGV"},
        "log": [{"stage": "inference", "iteration": 40, "text": FAILED, "stream": "stderr"}],
    },
    "hanging": {"hang": {"stage": "inference", "iteration": 130}},
}

#: Every key, and gates in every form: budgets of each quantity, signs, units, tables, against the baseline.
SUITE = """\
# What must not get worse over night.
name = "lab"
boards = ["nightly"]
gates = [
    "p50 within 5%", # the one that matters
    { metric = "mean", within = "5%" },
    "p90 within 10% of the baseline",
    "size within 1% of baseline",
    "load memory within 5%",
    "p99 <= 12ms",
    { metric = "max", max = "50ms" },
]

[plans.usual]
iterations = 200
duration = 0.0
warmup = 5
cores = "auto"
runtime = "virtual"
wait = 30
pin = false
cool_below = 95.5

[plans.unused]
iterations = 100
cores = "all"

[[models]]
name = "digits"
files = ["models/digits.regrouped.*.rknn"]
golden = "digits.golden.npz"
boards = ["shelf"]
plans = ["usual"]
gates = [
    "p50 < 12 ms",
    "latency_p90 ≤ 12000us",
    "min <= 0.012s",
    "mean <= 12e6ns",
    "load time <= 500ms",
    "load memory <= 80MB",
    "load rss <= 1GiB",
    "size <= 10MB",
    "throughput >= 50/s",
    "cosine >= 0.999",
    "snr > 20dB",
    "max error <= 0.5",
    "top1 >= 99%",
    { metric = "top-5", min = "0.99" },
]
"""

#: Stands in for systemctl: starts and stops what ExecStart says, and writes down what it was told.
SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>"$HOME/systemctl.log"
unit="$RKBENCH_SYS_ROOT/etc/systemd/system/rkbench-exporter.service"
case "$1" in
  restart)
    eval "$(sed -n s/^ExecStart=//p "$unit") </dev/null >/dev/null 2>&1 &"
    echo $! >"$HOME/systemctl.pid" ;;
  disable) kill "$(cat "$HOME/systemctl.pid")"; rm "$HOME/systemctl.pid" ;;
esac
"""
