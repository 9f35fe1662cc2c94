"""Version 1: runs, their latencies and readings, the history, tags, nights, baselines, noise floors."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_RUN = 'run text COLLATE "C" PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE'
_STEPS = (
    'CREATE TABLE store (id text COLLATE "C" PRIMARY KEY, made_by text COLLATE "C" NOT NULL)',
    """CREATE TABLE runs (
        id text COLLATE "C" PRIMARY KEY, push text COLLATE "C" NOT NULL, started_at text COLLATE "C" NOT NULL,
        board text COLLATE "C" NOT NULL, soc text COLLATE "C", model text COLLATE "C" NOT NULL,
        sha256 text COLLATE "C" NOT NULL, simulated boolean NOT NULL, partial boolean NOT NULL,
        failed boolean NOT NULL, document text COLLATE "C" NOT NULL)""",
    f"""CREATE TABLE latencies ({_RUN}, start_ns bytea, duration_ns bytea, block bytea, warmup bytea,
        set_inputs_ns bytea, run_ns bytea, get_outputs_ns bytea, device_ns bytea, load bytea,
        unread bytea)""",
    f"CREATE TABLE readings ({_RUN}, document bytea NOT NULL)",
    """CREATE TABLE nights (
        position bigint GENERATED ALWAYS AS IDENTITY UNIQUE, id text COLLATE "C" PRIMARY KEY,
        suite text COLLATE "C" NOT NULL, fingerprint text COLLATE "C" NOT NULL,
        started_unix_s double precision NOT NULL, ended_unix_s double precision,
        document text COLLATE "C" NOT NULL)""",
    "CREATE INDEX nights_by_suite ON nights (suite, position)",
    """CREATE TABLE history (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run text COLLATE "C" NOT NULL UNIQUE REFERENCES runs (id) ON DELETE CASCADE,
        push text COLLATE "C" NOT NULL, started_at text COLLATE "C" NOT NULL,
        started_unix_s double precision, board text COLLATE "C" NOT NULL, soc text COLLATE "C",
        variant text COLLATE "C" NOT NULL, sha256 text COLLATE "C" NOT NULL, runtime text COLLATE "C",
        runtime_version text COLLATE "C", driver_version text COLLATE "C", toolkit_version text COLLATE "C",
        agent_version text COLLATE "C", rkbench_version text COLLATE "C", core_mask text COLLATE "C",
        scenario text COLLATE "C", simulated boolean NOT NULL, partial boolean NOT NULL,
        failed boolean NOT NULL, failed_stage text COLLATE "C", verdict text COLLATE "C",
        beside boolean NOT NULL, night text COLLATE "C")""",
    "CREATE INDEX history_by_time ON history (started_at, run)",
    "CREATE INDEX history_by_unix_time ON history (started_unix_s)",
    "CREATE INDEX history_by_variant ON history (variant, board, started_at, run)",
    "CREATE INDEX history_by_variant_and_soc ON history (variant, soc, started_at, run)",
    "CREATE INDEX history_by_sha256 ON history (sha256, started_at, run)",
    "CREATE INDEX history_by_night ON history (night) WHERE night IS NOT NULL",
    """CREATE TABLE tags (
        run text COLLATE "C" NOT NULL REFERENCES runs (id) ON DELETE CASCADE, tag text COLLATE "C" NOT NULL,
        note text COLLATE "C" NOT NULL, tagged_unix_s double precision NOT NULL, PRIMARY KEY (tag, run))""",
    "CREATE INDEX tags_by_run ON tags (run)",
    """CREATE TABLE cells (
        night text COLLATE "C" NOT NULL REFERENCES nights (id) ON DELETE CASCADE,
        position integer NOT NULL, runs text[] COLLATE "C" NOT NULL, document text COLLATE "C" NOT NULL,
        PRIMARY KEY (night, position))""",
    """CREATE TABLE gates (
        night text COLLATE "C" NOT NULL REFERENCES nights (id) ON DELETE CASCADE,
        suite text COLLATE "C" NOT NULL, model text COLLATE "C" NOT NULL, variant text COLLATE "C" NOT NULL,
        board text COLLATE "C" NOT NULL, plan text COLLATE "C" NOT NULL, gate text COLLATE "C" NOT NULL,
        state text COLLATE "C" NOT NULL, simulated boolean NOT NULL, measured_unix_s double precision,
        PRIMARY KEY (night, variant, board, plan, gate))""",
    """CREATE TABLE baselines (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, suite text COLLATE "C" NOT NULL,
        variant text COLLATE "C" NOT NULL, board text COLLATE "C" NOT NULL, plan text COLLATE "C" NOT NULL,
        simulated boolean NOT NULL, run text COLLATE "C" NOT NULL, night text COLLATE "C" NOT NULL,
        accepted_unix_s double precision NOT NULL, note text COLLATE "C" NOT NULL)""",
    """CREATE TABLE noise_floors (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, board text COLLATE "C" NOT NULL,
        conditions text COLLATE "C" NOT NULL, document text COLLATE "C" NOT NULL)""",
    "CREATE INDEX noise_floors_by_conditions ON noise_floors (board, md5(conditions))",
)


def upgrade() -> None:
    """Make the tables; the columns of measures are added by `schema.py`, which knows today's."""
    for step in _STEPS:
        op.execute(step)
