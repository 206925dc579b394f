"""The routes of `/analytics`."""

from __future__ import annotations

from plugins.analytics import schemas
from plugins.analytics.schemas import (
    AgentPerformance,
    CallStatistics,
    CampaignStatistics,
    CardView,
    DailyCalls,
    DailyFilters,
    Emotion,
    ExportFilters,
    Filters,
    GroupFilters,
    HourlyCalls,
    Phrase,
    Sentiments,
    WordFilters,
)
from plugins.analytics.service import cards as dashboard_cards
from plugins.analytics.service import exporting, figures
from voicera import Blueprint, Reply, Request, reply, requires, streamed

READ = "analytics:read"
FILTERS = "register_call_filters"  # of the call logs: what other plugins add there works here too

blueprint = Blueprint("/analytics")
cards = Blueprint("/dashboard/cards", tag="Dashboard")


@blueprint.get(
    "/calls", query=Filters, extra_query=FILTERS, returns=CallStatistics, examples={"reply": schemas.STATISTICS_EXAMPLE}
)
@requires(READ)
async def call_statistics(request: Request) -> Reply:
    """Count calls, and say how they ended, how long they took and what they cost."""
    wanted = request.query(Filters)
    return reply(await figures.calls(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/sentiment", query=Filters, extra_query=FILTERS, returns=Sentiments, examples={"reply": schemas.SENTIMENT_EXAMPLE}
)
@requires(READ)
async def sentiment(request: Request) -> Reply:
    """Say how callers felt. The percentages are of the calls that have a sentiment."""
    wanted = request.query(Filters)
    return reply(await figures.sentiment(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/top-phrases",
    query=WordFilters,
    extra_query=FILTERS,
    returns=list[Phrase],
    examples={"reply": schemas.PHRASES_EXAMPLE},
)
@requires(READ)
async def top_phrases(request: Request) -> Reply:
    """List the commonest key phrases. A phrase counts once a call; case and outer space make no difference."""
    wanted = request.query(WordFilters)
    return reply(await figures.phrases(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/emotions",
    query=WordFilters,
    extra_query=FILTERS,
    returns=list[Emotion],
    examples={"reply": schemas.EMOTIONS_EXAMPLE},
)
@requires(READ)
async def top_emotions(request: Request) -> Reply:
    """List the commonest emotions. An emotion counts once a call; case and outer space make no difference."""
    wanted = request.query(WordFilters)
    return reply(await figures.emotions(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/hourly-calls",
    query=Filters,
    extra_query=FILTERS,
    returns=list[HourlyCalls],
    examples={"reply": schemas.HOURLY_EXAMPLE},
)
@requires(READ)
async def hourly_calls(request: Request) -> Reply:
    """Show every hour (UTC) of a range of at most 92 days, oldest first; the last 24 if no range is given."""
    wanted = request.query(Filters)
    return reply(await figures.hourly(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/daily-calls",
    query=DailyFilters,
    extra_query=FILTERS,
    returns=list[DailyCalls],
    examples={"reply": schemas.DAILY_EXAMPLE},
)
@requires(READ)
async def daily_calls(request: Request) -> Reply:
    """Show every day of a range of at most 3,660 days, oldest first; of the last 30 if none is given.

    Days begin at midnight in `timezone`. Where the range cuts a day, the part in the range is counted.
    """
    wanted = request.query(DailyFilters)
    return reply(await figures.daily(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/agent-performance",
    query=GroupFilters,
    extra_query=FILTERS,
    returns=list[AgentPerformance],
    examples={"reply": schemas.AGENTS_EXAMPLE},
)
@requires(READ)
async def agent_performance(request: Request) -> Reply:
    """Compare agents, those with the most calls first; calls without an agent are left out."""
    wanted = request.query(GroupFilters)
    return reply(await figures.agents(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/campaign-stats",
    query=GroupFilters,
    extra_query=FILTERS,
    returns=list[CampaignStatistics],
    examples={"reply": schemas.CAMPAIGNS_EXAMPLE},
)
@requires(READ)
async def campaign_statistics(request: Request) -> Reply:
    """Compare campaigns, those with the most calls first; calls without a campaign are left out."""
    wanted = request.query(GroupFilters)
    return reply(await figures.campaigns(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/export",
    query=ExportFilters,
    extra_query=FILTERS,
    reply_media="text/csv",
    also_media=("application/x-ndjson",),
    headers={"Content-Disposition": "A name to save the file under."},
)
@requires(READ)
async def export(request: Request) -> Reply:
    """Download figures as CSV (RFC 4180) or NDJSON: a row for each day or hour that had calls, oldest first."""
    wanted = request.query(ExportFilters)
    pieces = await exporting.export(request.resources, request.principal.owner_id, wanted, request.extra)
    headers = {"Content-Disposition": f'attachment; filename="calls.{wanted.format}"'}
    return streamed(pieces, exporting.MEDIA[wanted.format], headers=headers)


@cards.get(returns=list[CardView], examples={"reply": schemas.CARDS_EXAMPLE})
@requires(READ)
async def list_cards(request: Request) -> Reply:
    """List the cards that plugins put on the dashboard."""
    return reply(dashboard_cards.cards(request.resources))
