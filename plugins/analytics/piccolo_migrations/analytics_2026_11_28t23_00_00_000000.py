"""Durations are kept by status, sentiment, agent and campaign; and the rollups are filled from the calls there are."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

from plugins.analytics.deltas import folded
from plugins.analytics.queries import rebuilding

ID = "analytics_2026_11_28t23_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "call_deltas anew, durations of rollup_chunks, and what the rollups say of the calls there are"

# One row a batch: rows that live for a second must be few, or reading would walk over the dead ones.
DELTAS = """
DROP TABLE call_deltas;
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
    phrases json NOT NULL,
    emotions json NOT NULL,
    durations json NOT NULL,
    PRIMARY KEY (owner_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE call_deltas IS 'voicera:analytics';
COMMENT ON COLUMN call_deltas.phrases IS 'an array for each place of the other columns, as in emotions and durations'"""
# EXTERNAL: what lives so short is not worth compressing.
LONG = ("hours", "agents", "campaigns", "cells", "calls", "timed_calls", "seconds", "costs")
STORAGE = [f"ALTER COLUMN {name} SET STORAGE EXTERNAL" for name in (*LONG, "phrases", "emotions", "durations")]
CHUNKS = """
ALTER TABLE rollup_chunks ALTER COLUMN durations TYPE bigint[];
COMMENT ON COLUMN rollup_chunks.durations IS 'seconds, times 32, and the cell of the calls: its status and sentiment'"""


async def forwards() -> MigrationManager:
    """Change the tables and fill them."""
    manager = MigrationManager(migration_id=ID, app_name="analytics", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in (*DELTAS.split(";"), f"ALTER TABLE call_deltas {', '.join(STORAGE)}", *CHUNKS.split(";")):
            await engine.run_ddl(statement)
        connection = engine.current_transaction.get().connection
        for owner_id in await rebuilding.owners(connection):
            await rebuilding.fill(connection, owner_id, folded)

    manager.add_raw(run)
    return manager
