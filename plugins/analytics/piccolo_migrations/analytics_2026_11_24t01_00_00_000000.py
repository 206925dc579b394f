"""The rollups of the call logs, and the deltas that are not in them yet; a later migration fills them."""

from typing import Any

from plugins.analytics.cells import SUMS
from voicera import sql_migration

ID = "analytics_2026_11_24t01_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "call_deltas, call_rollups, rollup_chunks"

# One row a batch: rows that live for a second must be few, or reading would walk over the dead ones.
DELTAS = """
CREATE TABLE call_deltas (
    owner_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    hours integer[] NOT NULL,
    agents uuid[] NOT NULL,
    campaigns uuid[] NOT NULL,
    cells smallint[] NOT NULL,
    calls integer[] NOT NULL,
    timed_calls integer[] NOT NULL,
    seconds bigint[] NOT NULL,
    costs bigint[] NOT NULL,
    phrases json[] NOT NULL,
    emotions json[] NOT NULL,
    duration_hours integer[] NOT NULL,
    durations integer[] NOT NULL,
    duration_signs smallint[] NOT NULL,
    PRIMARY KEY (owner_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE call_deltas IS 'voicera:analytics'"""

# `subject_id` is whom a cube is about: nobody (0, all calls of the owner), an agent (1), a campaign (2). The rows of a
# campaign are told apart by `agent_id` too. `bucket` is the first hour, counted from 1970, of what `level` says: an
# hour (0), a day (1), 16 days (2), all time (3). Nobody is the UUID of zeros, so that keys compare as keys do.
KEY = """
    owner_id uuid NOT NULL,
    cube smallint NOT NULL,
    level smallint NOT NULL,
    subject_id uuid NOT NULL,
    bucket integer NOT NULL,
    agent_id uuid NOT NULL"""

ROLLUPS = f"""
CREATE TABLE call_rollups ({KEY},
    {", ".join(f"{name} {'numeric' if name == 'cost_micros' else 'bigint'} NOT NULL" for name in SUMS)},
    chunks integer NOT NULL,
    PRIMARY KEY (owner_id, cube, level, subject_id, bucket, agent_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE call_rollups IS 'voicera:analytics';
COMMENT ON COLUMN call_rollups.chunks IS 'about how many rows of rollup_chunks have this key';
CREATE TABLE rollup_chunks ({KEY},
    phrases text[] COLLATE "C" NOT NULL,
    phrase_calls bigint[] NOT NULL,
    emotions text[] COLLATE "C" NOT NULL,
    emotion_calls bigint[] NOT NULL,
    durations integer[] NOT NULL,
    duration_calls bigint[] NOT NULL);
CREATE INDEX rollup_chunks_key ON rollup_chunks (owner_id, cube, level, subject_id, bucket, agent_id);
COMMENT ON TABLE rollup_chunks IS 'voicera:analytics';
COMMENT ON COLUMN rollup_chunks.durations IS 'of all calls of the owner alone';
CREATE TABLE rollup_marks (name text PRIMARY KEY, at timestamptz NOT NULL);
COMMENT ON TABLE rollup_marks IS 'voicera:analytics';
CREATE TABLE rollup_lock ();
COMMENT ON TABLE rollup_lock IS 'voicera:analytics'"""


async def forwards() -> Any:
    """Make the tables."""
    return sql_migration(ID, *DELTAS.split(";"), *ROLLUPS.split(";"), description=DESCRIPTION)
