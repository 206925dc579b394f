"""The texts of the statements that fold calls into the rollups: first by the hour, then each level from the one below.

A source gives the rows that a fold begins with; there is one that reads deltas, and one that reads the call logs.

Sums are added to one row a key. What would be a row for each word and duration is kept as arrays instead: every fold
appends a chunk to those of the key, the row of the key counts them, and when there are many they become one.
"""

from __future__ import annotations

from plugins.analytics.cells import NUMBERS, SUMS
from plugins.analytics.periods import SIZES

KEY = ("owner_id", "cube", "level", "subject_id", "bucket", "agent_id")
NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
CHUNKS = 8


def _sum(name: str) -> str:
    """The sum of a column; of costs alone it may be more than a bigint holds."""
    return f"sum({name}) AS {name}" if name == "cost_micros" else f"sum({name})::bigint AS {name}"


_ADDED = ", ".join(map(_sum, SUMS))
_SUMS = ", ".join(SUMS)
_DAY, _STRETCH = SIZES[1:]

FACTS_OF_DELTAS = f"""
SELECT owner_id, fact.hour, fact.agent_id, fact.campaign_id, sum(fact.calls) AS calls,
    {", ".join(f"coalesce(sum(fact.calls) FILTER (WHERE fact.cell = {number}), 0)" for number in NUMBERS.values())},
    sum(fact.timed_calls), sum(fact.seconds), sum(fact.cost_micros)
FROM call_deltas, unnest(hours, agents, campaigns, cells, calls, timed_calls, seconds, costs)
    AS fact (hour, agent_id, campaign_id, cell, calls, timed_calls, seconds, cost_micros)
WHERE {{where}} GROUP BY 1, 2, 3, 4"""  # noqa: S608  # constants

# Not created_at, which is rounded to the millisecond where the id's time is cut.
HOUR_OF_ID = "floor(extract(epoch FROM uuid_extract_timestamp(id)) / 3600)::integer"


def _cell_of_log(status: str, sentiment: str | None) -> str:
    felt = "IS NULL" if sentiment is None else f"= '{sentiment}'"
    return f"count(*) FILTER (WHERE status = '{status}' AND sentiment {felt})"


FACTS_OF_LOGS = f"""
SELECT owner_id, {HOUR_OF_ID} AS hour, agent_id, campaign_id, count(*) AS calls,
    {", ".join(_cell_of_log(*cell) for cell in NUMBERS)},
    count(duration_seconds) FILTER (WHERE status = 'completed'),
    coalesce(sum(duration_seconds) FILTER (WHERE status = 'completed'), 0), coalesce(sum(cost_micros), 0)
FROM call_logs WHERE owner_id = $1 GROUP BY 1, 2, 3, 4"""  # noqa: S608  # constants


def _cubes(columns: str, sums: str, more: str = "") -> str:
    """The three cubes by the hour, from `fine`."""
    return f"""
    SELECT owner_id, 0 AS cube, 0 AS level, {NOBODY} AS subject_id, hour AS bucket, {NOBODY} AS agent_id,
        {more}{sums} FROM fine GROUP BY {more}owner_id, hour
    UNION ALL SELECT owner_id, 1, 0, agent_id, hour, {NOBODY}, {more}{sums}
    FROM fine WHERE agent_id IS NOT NULL GROUP BY {more}owner_id, hour, agent_id
    UNION ALL SELECT owner_id, 2, 0, campaign_id, hour, coalesce(agent_id, {NOBODY}), {more}{columns}
    FROM fine WHERE campaign_id IS NOT NULL"""  # noqa: S608  # constants


def _levels(sums: str, more: str = "") -> str:
    group = f"GROUP BY {more}owner_id, cube, subject_id, agent_id"
    return f"""
days AS MATERIALIZED (SELECT owner_id, cube, 1, subject_id, bucket - bucket % {_DAY} AS bucket, agent_id,
    {more}{sums} FROM hours {group}, bucket - bucket % {_DAY}),
stretches AS MATERIALIZED (SELECT owner_id, cube, 2, subject_id, bucket - bucket % {_STRETCH} AS bucket, agent_id,
    {more}{sums} FROM days {group}, bucket - bucket % {_STRETCH}),
ever AS (SELECT owner_id, cube, 3, subject_id, 0 AS bucket, agent_id, {more}{sums} FROM stretches {group}),
folded AS (SELECT * FROM hours UNION ALL SELECT * FROM days UNION ALL SELECT * FROM stretches
    UNION ALL SELECT * FROM ever)"""  # noqa: S608  # constants


def _sums(source: str) -> str:
    """Rows of `call_rollups`, as the table `folded`."""
    return f"""
WITH fine (owner_id, hour, agent_id, campaign_id, {_SUMS}) AS MATERIALIZED ({source}),
hours (owner_id, cube, level, subject_id, bucket, agent_id, {_SUMS}) AS MATERIALIZED ({_cubes(_SUMS, _ADDED)}),
{_levels(_ADDED)}"""


def _entries(source: str) -> str:
    """What the chunks of `rollup_chunks` hold, an entry a row, as the table `folded`."""
    more, added = "kind, word, ", "sum(calls)::bigint AS calls"
    return f"""
WITH fine (owner_id, hour, agent_id, campaign_id, kind, word, calls) AS MATERIALIZED ({source}),
hours AS MATERIALIZED ({_cubes("calls", added, more)}),
{_levels(added, more)}"""


_KEYS = ", ".join(KEY)
ADD_SUMS = f"""
, written AS (
    INSERT INTO call_rollups ({_KEYS}, {_SUMS}, chunks) SELECT {_KEYS}, {_SUMS}, 1 FROM folded ORDER BY {_KEYS}
    ON CONFLICT ({_KEYS}) DO UPDATE
    SET {", ".join(f"{name} = call_rollups.{name} + excluded.{name}" for name in SUMS)},
        chunks = call_rollups.chunks + 1
    RETURNING ctid, calls, chunks)
SELECT ctid::text AS place, calls = 0 AS empty FROM written WHERE calls = 0 OR chunks >= {CHUNKS}"""  # noqa: S608
ARRAYS = (("phrases", "phrase_calls"), ("emotions", "emotion_calls"), ("durations", "duration_calls"))


def _array(kind: int, column: str) -> str:
    return f"coalesce(array_agg({column}) FILTER (WHERE kind = {kind}), '{{}}')"


def _add_chunks(entries: str) -> str:
    return f"""
INSERT INTO rollup_chunks ({_KEYS}, {", ".join(f"{words}, {calls}" for words, calls in ARRAYS)})
SELECT {_KEYS}, {_array(0, "word")}, {_array(0, "calls")}, {_array(1, "word")}, {_array(1, "calls")},
    {_array(2, "word::integer")}, {_array(2, "calls")}
FROM {entries} WHERE calls <> 0 GROUP BY {_KEYS}"""  # noqa: S608  # constants


ENTRIES = """LATERAL (
    SELECT 0, unnest(chunk.phrases), unnest(chunk.phrase_calls)
    UNION ALL SELECT 1, unnest(chunk.emotions), unnest(chunk.emotion_calls)
    UNION ALL SELECT 2, unnest(chunk.durations)::text, unnest(chunk.duration_calls)) AS entry (kind, word, calls)"""
_OF_KEY = " AND ".join(f"chunk.{name} = key.{name}" for name in KEY)
# $1 are the places of rows whose chunks have become many.
MERGE_CHUNKS = f"""
WITH key AS (UPDATE call_rollups SET chunks = 1 WHERE ctid = ANY($1::text[]::tid[]) RETURNING {_KEYS}),
chunk AS (DELETE FROM rollup_chunks AS chunk USING key WHERE {_OF_KEY} RETURNING chunk.*),
merged AS (SELECT {_KEYS}, kind, word, sum(calls)::bigint AS calls
    FROM (SELECT {", ".join(f"chunk.{name}" for name in KEY)}, entry.* FROM chunk, {ENTRIES}) AS held
    GROUP BY {_KEYS}, kind, word)
{_add_chunks("merged")}"""  # noqa: S608  # constants
# $1 are the places of rows that count nothing any more; what their chunks hold has come to nothing, too.
DROP_EMPTY = f"""
WITH key AS (DELETE FROM call_rollups WHERE ctid = ANY($1::text[]::tid[]) RETURNING {_KEYS})
DELETE FROM rollup_chunks AS chunk USING key WHERE {_OF_KEY}"""  # noqa: S608  # constants

WORDS_OF_DELTAS = """
SELECT owner_id, place.hour, place.agent_id, place.campaign_id, kind, word, sum(sign(place.calls))::bigint
FROM call_deltas, unnest(hours, agents, campaigns, calls, phrases, emotions)
        AS place (hour, agent_id, campaign_id, calls, phrases, emotions),
    LATERAL (SELECT 0, json_array_elements_text(place.phrases)
        UNION ALL SELECT 1, json_array_elements_text(place.emotions)) AS said (kind, word)
WHERE {where} AND word <> '' GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT owner_id, timed.hour, NULL::uuid, NULL::uuid, 2, timed.duration::text, sum(timed.sign)::bigint
FROM call_deltas, unnest(duration_hours, durations, duration_signs) AS timed (hour, duration, sign)
WHERE {where} GROUP BY 1, 2, timed.duration"""

# Folding case is Python's affair: $2 are the words that are written otherwise than they are compared, $3 how they are.
WORDS_OF_LOGS = f"""
SELECT owner_id, hour, agent_id, campaign_id, kind, word, count(*) FROM (
    SELECT DISTINCT owner_id, id, {HOUR_OF_ID} AS hour, agent_id, campaign_id, kind, coalesce(compared, said) AS word
    FROM call_logs CROSS JOIN LATERAL (
        SELECT 0, unnest(key_phrases) UNION ALL SELECT 1, unnest(emotions)) AS words (kind, said)
    LEFT JOIN unnest($2::text[], $3::text[]) AS folding (written, compared) ON said = written
    WHERE owner_id = $1) AS each_once
WHERE word <> '' GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT owner_id, {HOUR_OF_ID}, NULL, NULL, 2, duration_seconds::text, count(*) FROM call_logs
WHERE owner_id = $1 AND duration_seconds IS NOT NULL GROUP BY 1, 2, 6"""  # noqa: S608  # constants

BY_ID, BY_OWNER = "call_deltas.id = ANY($1)", "call_deltas.owner_id = $1"
FOLD_SUMS = _sums(FACTS_OF_DELTAS.format(where=BY_ID)) + ADD_SUMS
FOLD_WORDS = _entries(WORDS_OF_DELTAS.format(where=BY_ID)) + _add_chunks("folded")
FILL_SUMS = _sums(FACTS_OF_LOGS) + ADD_SUMS
FILL_WORDS = _entries(WORDS_OF_LOGS) + _add_chunks("folded")


def _lacking(fine: tuple[str, ...], columns: tuple[str, ...], logs: str, deltas: str) -> str:
    """A source of what the logs say without what the deltas say: what the rollups have to say."""
    names = ", ".join((*fine, *columns))
    taken = ", ".join((*fine, *(f"-{name}" for name in columns)))
    deltas = deltas.format(where=BY_OWNER)
    return f"SELECT * FROM ({logs}) AS logs UNION ALL SELECT {taken} FROM ({deltas}) AS taken ({names})"  # noqa: S608


def _compare(key: tuple[str, ...], columns: tuple[str, ...], kept: str) -> str:
    keys, names = ", ".join(key), ", ".join(columns)
    return f"""
SELECT {keys}, {", ".join(map(_sum, columns))} FROM (
    SELECT {keys}, {names} FROM folded UNION ALL {kept}) AS both_sides
GROUP BY {keys} HAVING {" OR ".join(f"sum({name}) <> 0" for name in columns)} LIMIT 1000"""  # noqa: S608  # constants


WORD_KEY = (*KEY, "kind", "word")
_PLACE = ("owner_id", "hour", "agent_id", "campaign_id")
_KEPT_SUMS = f"""
    SELECT {_KEYS}, {", ".join(f"-{name}" for name in SUMS)} FROM call_rollups WHERE owner_id = $1"""  # noqa: S608
_KEPT_WORDS = f"""
    SELECT {_KEYS}, kind, word, -calls FROM rollup_chunks AS chunk, {ENTRIES} WHERE owner_id = $1"""  # noqa: S608
COMPARE_SUMS = _sums(_lacking(_PLACE, SUMS, FACTS_OF_LOGS, FACTS_OF_DELTAS)) + _compare(KEY, SUMS, _KEPT_SUMS)
COMPARE_WORDS = _entries(_lacking((*_PLACE, "kind", "word"), ("calls",), WORDS_OF_LOGS, WORDS_OF_DELTAS)) + _compare(
    WORD_KEY, ("calls",), _KEPT_WORDS
)
