"""The recordings of calls, and the objects in storage that are none: being written, or to be deleted."""

from typing import Any

from voicera import sql_migration

ID = "calls_2026_11_24t02_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "call_recordings and recording_uploads"

RECORDINGS = """
CREATE TABLE IF NOT EXISTS call_recordings (
    owner_id uuid NOT NULL,
    call_id uuid NOT NULL,
    object_key text NOT NULL,
    size_bytes bigint NOT NULL,
    duration_ms bigint NOT NULL,
    codec text NOT NULL,
    channels smallint NOT NULL,
    sample_rate integer NOT NULL,
    bits_per_sample smallint NOT NULL,
    sha256 bytea NOT NULL,
    created_at timestamptz(3) NOT NULL,
    PRIMARY KEY (owner_id, call_id)
);
COMMENT ON TABLE call_recordings IS 'voicera:calls';
"""

UPLOADS = """
CREATE TABLE IF NOT EXISTS recording_uploads (
    owner_id uuid NOT NULL,
    call_id uuid NOT NULL,
    object_key text NOT NULL,
    due_at timestamptz NOT NULL,
    doomed boolean NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_id, object_key)
);
CREATE INDEX IF NOT EXISTS recording_uploads_due ON recording_uploads (due_at);
COMMENT ON TABLE recording_uploads IS 'voicera:calls';
COMMENT ON COLUMN recording_uploads.due_at IS 'when the sweep takes the object away';
COMMENT ON COLUMN recording_uploads.doomed IS 'it can no longer become a recording';
"""


async def forwards() -> Any:
    """Make both tables."""
    statements = filter(str.strip, (*RECORDINGS.split(";"), *UPLOADS.split(";")))
    return sql_migration(ID, *statements, description=DESCRIPTION)
