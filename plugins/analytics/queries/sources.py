"""What a fold begins with: by the hour, agent and campaign, as deltas say it, and as the call logs do.

`{where}` stands for a condition on `call_deltas`; of the call logs, `$1` is the owner.
"""
# ruff: noqa: S608  # made of constants; every value is a parameter

from __future__ import annotations

from plugins.analytics.cells import NUMBERS, SENTIMENTS, STATUSES

FACTS_OF_DELTAS = f"""
SELECT owner_id, fact.hour, fact.agent_id, fact.campaign_id, sum(fact.calls) AS calls,
    {", ".join(f"coalesce(sum(fact.calls) FILTER (WHERE fact.cell = {number}), 0)" for number in NUMBERS.values())},
    sum(fact.timed_calls), sum(fact.seconds), sum(fact.cost_micros)
FROM call_deltas, unnest(hours, agents, campaigns, cells, calls, timed_calls, seconds, costs)
    AS fact (hour, agent_id, campaign_id, cell, calls, timed_calls, seconds, cost_micros)
WHERE {{where}} GROUP BY 1, 2, 3, 4"""

# Not created_at, which is rounded to the millisecond where the id's time is cut.
HOUR_OF_ID = "floor(extract(epoch FROM uuid_extract_timestamp(id)) / 3600)::integer"


# A duration is kept in one number with the cell of its call, so that calls of a status and sentiment can be counted.
TIMED = "{seconds} * 32 + {cell}"
CELL_OF_LOG = f"""4 * array_position('{{{",".join(STATUSES)}}}'::text[], status)
    + coalesce(array_position('{{{",".join(map(str, SENTIMENTS[:-1]))}}}'::text[], sentiment), 4) - 5"""


def _cell_of_log(status: str, sentiment: str | None) -> str:
    felt = "IS NULL" if sentiment is None else f"= '{sentiment}'"
    return f"count(*) FILTER (WHERE status = '{status}' AND sentiment {felt})"


FACTS_OF_LOGS = f"""
SELECT owner_id, {HOUR_OF_ID} AS hour, agent_id, campaign_id, count(*) AS calls,
    {", ".join(_cell_of_log(*cell) for cell in NUMBERS)},
    count(duration_seconds) FILTER (WHERE status = 'completed'),
    coalesce(sum(duration_seconds) FILTER (WHERE status = 'completed'), 0), coalesce(sum(cost_micros), 0)
FROM call_logs WHERE owner_id = $1 GROUP BY 1, 2, 3, 4"""

WORDS_OF_DELTAS = f"""
SELECT owner_id, fact.hour, fact.agent_id, fact.campaign_id, kind, word, sum(sign(fact.calls))::bigint
FROM call_deltas, ROWS FROM (unnest(hours, agents, campaigns, cells, calls), json_array_elements(phrases),
        json_array_elements(emotions), json_array_elements(durations))
        AS fact (hour, agent_id, campaign_id, cell, calls, phrases, emotions, durations),
    LATERAL (SELECT 0, json_array_elements_text(fact.phrases)
        UNION ALL SELECT 1, json_array_elements_text(fact.emotions)
        UNION ALL SELECT 2, (({TIMED.format(seconds="seconds::bigint", cell="fact.cell")}))::text
            FROM json_array_elements_text(fact.durations) AS timed (seconds)) AS said (kind, word)
WHERE {{where}} AND word <> '' GROUP BY 1, 2, 3, 4, 5, 6"""

# Folding case is Python's affair: $2 are the words that are written otherwise than they are compared, $3 how they are.
SAID_BY_LOGS = f"""
SELECT owner_id, hour, agent_id, campaign_id, kind, word, 1 AS calls FROM (
    SELECT DISTINCT owner_id, id, {HOUR_OF_ID} AS hour, agent_id, campaign_id, kind, coalesce(compared, said) AS word
    FROM call_logs CROSS JOIN LATERAL (
        SELECT 0, unnest(key_phrases) UNION ALL SELECT 1, unnest(emotions)) AS words (kind, said)
    LEFT JOIN unnest($2::text[], $3::text[]) AS folding (written, compared) ON said = written
    WHERE owner_id = $1) AS each_once
WHERE word <> ''
UNION ALL
SELECT owner_id, {HOUR_OF_ID}, agent_id, campaign_id, 2,
    ({TIMED.format(seconds="duration_seconds::bigint", cell=CELL_OF_LOG)})::text, 1
FROM call_logs WHERE owner_id = $1 AND duration_seconds IS NOT NULL"""
WORDS_OF_LOGS = f"""
SELECT owner_id, hour, agent_id, campaign_id, kind, word, sum(calls) AS calls
FROM ({SAID_BY_LOGS}) AS said GROUP BY 1, 2, 3, 4, 5, 6"""
