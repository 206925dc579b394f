"""The texts of the statements that fold calls into the rollups: first by the hour, then each level from the one below.

A source gives the rows that a fold begins with: what deltas say, or what the call logs do (`sources`).

Sums are added to one row a key. What would be a row for each word and duration is kept as arrays instead: every fold
appends a chunk to those of the key, the row of the key counts them, and when there are many they become one.
"""

from __future__ import annotations

from plugins.analytics.cells import SUMS
from plugins.analytics.periods import SIZES
from plugins.analytics.queries.sources import (
    FACTS_OF_DELTAS,
    FACTS_OF_LOGS,
    SAID_BY_LOGS,
    WORDS_OF_DELTAS,
    WORDS_OF_LOGS,
)

KEY = ("owner_id", "cube", "level", "subject_id", "bucket", "agent_id")
NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
CHUNKS = 8
# Nothing is known of the tables that a statement makes for itself, so joins must be told to be by hash. One transaction
# at a time folds, so it may have the memory that keeps its sums off the disk.
PLANNED = "SET LOCAL work_mem = '96MB'; SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off"
# Of all calls of an owner, sums are made by sorting: how many groups there are is guessed far too high, and a hash
# table made for so many is walked over again for each part that did not fit into memory (ten minutes of 3,000,000).
PLANNED_FOR_ALL = f"{PLANNED}; SET LOCAL enable_hashagg = off"


# Of costs alone it may be more than a bigint holds; what is counted in one statement is less than 2^31, and sums of
# integers cost a third of those of bigints.
_KINDS = {"seconds": "bigint", "cost_micros": "numeric", "print": "numeric"}


def _sum(name: str) -> str:
    """The sum of a column, of the type that it is kept in while it is added up."""
    return f"sum({name})::{_KINDS.get(name, 'integer')} AS {name}"


_ADDED = ", ".join(map(_sum, SUMS))
_SUMS = ", ".join(SUMS)
_DAY, _STRETCH = SIZES[1:]

# Who a row is about gets a number, `whom`; that, the bucket, and the kind of word are the bits of one number, `at`:
# rows are found and sorted by it, which takes a third of the time that UUIDs take. A bucket has 32 bits, a kind two.
BUCKET = "((at >> 2) & 4294967295)"
# Who it is about is looked up in arrays by that number: a join would lose the order, and inserts go by the index.
WHOSE = f"""
    (SELECT array_agg(owner_id ORDER BY whom) FROM key)[at >> 34] AS owner_id,
    (SELECT array_agg(cube ORDER BY whom) FROM key)[at >> 34] AS cube, level,
    (SELECT array_agg(subject_id ORDER BY whom) FROM key)[at >> 34] AS subject_id, {BUCKET}::integer AS bucket,
    (SELECT array_agg(agent_id ORDER BY whom) FROM key)[at >> 34] AS agent_id"""  # noqa: S608  # constants


def _added_up(source: str, columns: tuple[str, ...], more: str = "") -> str:
    """What a source has, by the hour, day, stretch and ever, for all three cubes.

    The source gives owner_id, hour, agent_id, campaign_id, and the columns, `kind` and `word` before them with `more`.
    """
    names, kind = ", ".join(columns), " + kind" if more else ""
    sums = ", ".join(map(_sum, columns))
    casts = ", ".join(f"{name}::{_KINDS.get(name, 'integer')}" for name in columns)
    said = "kind, word, " if more else ""
    return f"""
WITH found (owner_id, hour, agent_id, campaign_id, {said}{names}) AS MATERIALIZED ({source}),
place AS MATERIALIZED (
    SELECT DISTINCT owner_id, coalesce(agent_id, {NOBODY}) AS agent_id, coalesce(campaign_id, {NOBODY}) AS campaign_id
    FROM found),
key AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY owner_id, cube, subject_id, agent_id) AS whom FROM (
        SELECT owner_id, 0 AS cube, {NOBODY} AS subject_id, {NOBODY} AS agent_id FROM place
        UNION SELECT owner_id, 1, agent_id, {NOBODY} FROM place WHERE agent_id <> {NOBODY}
        UNION SELECT owner_id, 2, campaign_id, agent_id FROM place WHERE campaign_id <> {NOBODY}) AS anybody),
placed AS MATERIALIZED (
    SELECT place.*, of_all.whom AS of_all, of_agent.whom AS of_agent, of_campaign.whom AS of_campaign
    FROM place JOIN key AS of_all ON of_all.owner_id = place.owner_id AND of_all.cube = 0
    LEFT JOIN key AS of_agent
        ON of_agent.owner_id = place.owner_id AND of_agent.cube = 1 AND of_agent.subject_id = place.agent_id
    LEFT JOIN key AS of_campaign
        ON of_campaign.owner_id = place.owner_id AND of_campaign.cube = 2
            AND of_campaign.subject_id = place.campaign_id AND of_campaign.agent_id = place.agent_id),
fine AS MATERIALIZED (
    SELECT (of_all << 34) AS of_all, (of_agent << 34) AS of_agent, (of_campaign << 34) AS of_campaign,
        (hour::bigint << 2){kind} AS at, {more}{casts}
    FROM found JOIN placed ON placed.owner_id = found.owner_id
        AND placed.agent_id = coalesce(found.agent_id, {NOBODY})
        AND placed.campaign_id = coalesce(found.campaign_id, {NOBODY})),
hours AS MATERIALIZED (
    SELECT of_all + at AS at, {more}{sums} FROM fine GROUP BY {more}1
    UNION ALL SELECT of_agent + at, {more}{sums} FROM fine WHERE of_agent IS NOT NULL GROUP BY {more}1
    UNION ALL SELECT of_campaign + at, {more}{names} FROM fine WHERE of_campaign IS NOT NULL),
days AS MATERIALIZED (
    SELECT at - ({BUCKET} % {_DAY} << 2) AS at, {more}{sums} FROM hours GROUP BY {more}1),
stretches AS MATERIALIZED (
    SELECT at - ({BUCKET} % {_STRETCH} << 2) AS at, {more}{sums} FROM days GROUP BY {more}1),
ever AS MATERIALIZED (
    SELECT at - ({BUCKET} << 2) AS at, {more}{sums} FROM stretches GROUP BY {more}1)"""  # noqa: S608  # constants


_LEVELS = ("hours", "days", "stretches", "ever")


def _folded(columns: str) -> str:
    """The rows of all levels, as a table `folded`, with the columns that make up a key."""
    levels = " UNION ALL ".join(
        f"SELECT {level} AS level, * FROM (SELECT * FROM {name} ORDER BY at) AS sorted"  # noqa: S608  # constants
        for level, name in enumerate(_LEVELS)
    )
    return f""",
folded AS (SELECT {WHOSE}, {columns} FROM ({levels}) AS leveled)"""  # noqa: S608  # constants


def _sums(source: str) -> str:
    """Rows of `call_rollups`, as the table `folded`."""
    return _added_up(source, SUMS) + _folded(_SUMS)


def _entries(source: str) -> str:
    """What the chunks of `rollup_chunks` hold, an entry a row, as the table `folded`."""
    return _added_up(source, ("calls",), "word, ") + _folded("(at & 3)::integer AS kind, word, calls")


_KEYS = ", ".join(KEY)
ADD_SUMS = f"""
, written AS (
    INSERT INTO call_rollups ({_KEYS}, {_SUMS}, chunks) SELECT {_KEYS}, {_SUMS}, 1 FROM folded
    ON CONFLICT ({_KEYS}) DO UPDATE
    SET {", ".join(f"{name} = call_rollups.{name} + excluded.{name}" for name in SUMS)},
        chunks = call_rollups.chunks + 1
    RETURNING ctid, calls, chunks)
SELECT ctid::text AS place, calls = 0 AS empty FROM written WHERE calls = 0 OR chunks >= {CHUNKS}"""  # noqa: S608
ARRAYS = (("phrases", "phrase_calls"), ("emotions", "emotion_calls"), ("durations", "duration_calls"))


def _array(kind: int, column: str) -> str:
    return f"coalesce(array_agg({column}) FILTER (WHERE kind = {kind}), '{{}}')"


_ARRAYS = ", ".join(f"{words}, {calls}" for words, calls in ARRAYS)
_COLLECTED = f"""
    {_array(0, "word")} AS phrases, {_array(0, "calls")} AS phrase_calls,
    {_array(1, "word")} AS emotions, {_array(1, "calls")} AS emotion_calls,
    {_array(2, "word::bigint")} AS durations, {_array(2, "calls")} AS duration_calls"""
ADD_MERGED = f"""
INSERT INTO rollup_chunks ({_KEYS}, {_ARRAYS})
SELECT {_KEYS}, {_COLLECTED} FROM merged WHERE calls <> 0 GROUP BY {_KEYS}"""  # noqa: S608  # constants


def _level_of_chunks(level: int, name: str) -> str:
    """The chunks of a level, sorted by themselves: less at once than all levels, so that it fits into memory."""
    return f"""
    SELECT {level} AS level, whose << 2 AS at, {_COLLECTED} FROM (
        SELECT at >> 2 AS whose, at & 3 AS kind, word, calls::bigint AS calls FROM {name} WHERE calls <> 0
        ORDER BY 1) AS sorted GROUP BY whose"""  # noqa: S608  # constants


_COLLECTED_LEVELS = " UNION ALL ".join(_level_of_chunks(*each) for each in enumerate(_LEVELS))
ADD_CHUNKS = f"""
INSERT INTO rollup_chunks ({_KEYS}, {_ARRAYS})
SELECT {WHOSE}, {_ARRAYS} FROM ({_COLLECTED_LEVELS}) AS collected"""  # noqa: S608  # constants


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
{ADD_MERGED}"""  # noqa: S608  # constants
# $1 are the places of rows that count nothing any more; what their chunks hold has come to nothing, too.
DROP_EMPTY = f"""
WITH key AS (DELETE FROM call_rollups WHERE ctid = ANY($1::text[]::tid[]) RETURNING {_KEYS})
DELETE FROM rollup_chunks AS chunk USING key WHERE {_OF_KEY}"""  # noqa: S608  # constants

BY_ID, BY_OWNER = "call_deltas.id = ANY($1)", "call_deltas.owner_id = $1"
FOLD_SUMS = _sums(FACTS_OF_DELTAS.format(where=BY_ID)) + ADD_SUMS
FOLD_WORDS = _added_up(WORDS_OF_DELTAS.format(where=BY_ID), ("calls",), "word, ") + ADD_CHUNKS
FILL_SUMS = _sums(FACTS_OF_LOGS) + ADD_SUMS
FILL_WORDS = _added_up(WORDS_OF_LOGS, ("calls",), "word, ") + ADD_CHUNKS


def _minus(keys: tuple[str, ...], columns: tuple[str, ...], logs: str, deltas: str) -> str:
    """A source of what the logs say without what the deltas say: what the rollups have to say."""
    names = ", ".join((*keys, *columns))
    taken = ", ".join((*keys, *(f"-{name}" for name in columns)))
    deltas = deltas.format(where=BY_OWNER)
    return f"SELECT * FROM ({logs}) AS logs UNION ALL SELECT {taken} FROM ({deltas}) AS taken ({names})"  # noqa: S608


def _compare(key: tuple[str, ...], columns: tuple[str, ...], kept: str) -> str:
    keys, names = ", ".join(key), ", ".join(columns)
    return f"""
SELECT {keys}, {", ".join(f"sum({name}) AS {name}" for name in columns)} FROM (
    SELECT {keys}, {names} FROM folded UNION ALL {kept}) AS both_sides
GROUP BY {keys} HAVING {" OR ".join(f"sum({name}) <> 0" for name in columns)} LIMIT 1000"""  # noqa: S608  # constants


WORD_KEY = (*KEY, "kind", "word")
_PLACE = ("owner_id", "hour", "agent_id", "campaign_id")
# Words are compared by a print of all that a row has: hashes, times how many calls have the word. It adds up as calls
# do, so the words are walked over once, and not at each level; 64 bits of hash let no mistake pass by chance.
PRINT = "sum(calls * hashtextextended(word, kind)::numeric)"
CHECKED = (*SUMS, "print")
_ZEROS = ", ".join("0" for _ in SUMS)
_CHECKED_LOGS = f"""
SELECT facts.*, 0 AS print FROM ({FACTS_OF_LOGS}) AS facts
UNION ALL SELECT {", ".join(_PLACE)}, {_ZEROS}, {PRINT}
FROM ({SAID_BY_LOGS}) AS said ({", ".join(_PLACE)}, kind, word, calls) GROUP BY 1, 2, 3, 4"""  # noqa: S608
_CHECKED_DELTAS = f"""
SELECT facts.*, 0 FROM ({FACTS_OF_DELTAS}) AS facts
UNION ALL SELECT {", ".join(_PLACE)}, {_ZEROS}, {PRINT}
FROM ({WORDS_OF_DELTAS}) AS said ({", ".join(_PLACE)}, kind, word, calls) GROUP BY 1, 2, 3, 4"""  # noqa: S608
_KEPT = f"""
    SELECT {_KEYS}, {", ".join(f"-{name}" for name in SUMS)}, 0 FROM call_rollups WHERE owner_id = $1
    UNION ALL SELECT {_KEYS}, {_ZEROS}, -{PRINT}
    FROM rollup_chunks AS chunk, {ENTRIES} WHERE owner_id = $1 GROUP BY {_KEYS}"""  # noqa: S608
_KEPT_WORDS = f"""
    SELECT {_KEYS}, kind, word, -calls FROM rollup_chunks AS chunk, {ENTRIES} WHERE owner_id = $1"""  # noqa: S608
COMPARE = (
    _added_up(_minus(_PLACE, CHECKED, _CHECKED_LOGS, _CHECKED_DELTAS), CHECKED)
    + _folded(", ".join(CHECKED))
    + _compare(KEY, CHECKED, _KEPT)
)
COMPARE_WORDS = _entries(_minus((*_PLACE, "kind", "word"), ("calls",), WORDS_OF_LOGS, WORDS_OF_DELTAS)) + _compare(
    WORD_KEY, ("calls",), _KEPT_WORDS
)
