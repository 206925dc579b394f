"""What the page of the benchmarks says in words: what is compared with what, and why a target is missed."""

from __future__ import annotations

INTRODUCTION = """\
# Benchmarks

`make bench` measures the service beside other programs on the same PostgreSQL and the same machine, and writes this
page. No figure here was typed by hand.

- The generator of the load runs on the same machine and takes a part of it. So a ratio of two figures says more than
  the figures.
- Programs that are compared take turns, and the one that begins changes from round to round. A figure is the median
  of the rounds.
- Every program is one process, unless a table says otherwise. Ours checks the token, takes from a rate limit that no
  client reaches, and wraps its answers in the envelope. The others do none of that.
- The calls are made up. They have 860 bytes in the mean, most of them lie in office hours, and a few campaigns and
  phone numbers have most of them.
- Memory is the resident size of a process, in MiB."""

PLOT = """\
The lines are what one client waits, in the median, for an owner with so many calls. Both axes are logarithmic. The
dashed lines walk over the table."""

# The parts in the order in which the page shows them: heading and text.
PARTS: dict[str, tuple[str, str]] = {
    "listing, throughput": (
        "Listing beside other frameworks",
        """\
Ours answers the first page of 50 calls with an exact total. FastAPI with pydantic and SQLAlchemy, and Litestar with
msgspec and asyncpg, read the same tables and count the total. Bare Sanic with asyncpg sends the rows and no total. The
larger the table, the longer the others count.""",
    ),
    "listing": (
        "The list, by filters",
        """\
One client asks one worker for pages of 50 calls with an exact total. The same request goes to owners with few and with
many calls. The second table has its calls in 144 monthly partitions. A filter with "60 calls" finds 60 calls in every
table, whatever its size.""",
    ),
    "analytics": (
        "Analytics",
        """\
One client asks one worker about the calls of a year. The figures come from rollups, which are kept in the transaction
that records a call. "GROUP BY" is the same question to the raw table, in the same PostgreSQL, with no HTTP between.
FastAPI and Litestar aggregate the raw table when they are asked. These three are measured one after the other, each
with the machine to itself. Measuring begins when no call waits to be folded.""",
    ),
    "folding": (
        "Folding",
        """\
Recording notes what a batch adds, and a background task folds these notes into the rollups. Figures are exact before
and after. Here folding is held back until all batches are recorded, so the second table shows the worst that a reader
sees. The time to fold includes up to a second until the task looks.""",
    ),
    "ingestion": (
        "Recording in batches",
        """\
Four clients post batches of 1,000 calls and wait for each to be committed. "Raw COPY" writes the same rows with
asyncpg, with no service between. FastAPI inserts with SQLAlchemy, looks for no duplicates and keeps no rollups. The CPU
is that of the process and that of PostgreSQL, for 1,000 calls.""",
    ),
    "singles": (
        "Recording single calls",
        """\
64 clients post one call a request, and each is answered after its commit. Ours writes together what arrives together.
The others commit each call by itself on one connection: once with no service between, once behind a bare Sanic
handler.""",
    ),
    "hooks": (
        "What hooks cost",
        """\
Four workers record the same batches, without analytics. In the first, the calls of the hooks do nothing. The second is
as installed, and nobody listens. The others have one listener that does nothing. The CPU is the worker's.""",
    ),
    "limits": (
        "What a token and a rate limit cost",
        """\
Four routes of one worker answer the same few bytes. The rate limit is a token bucket in Valkey. Whether a session was
revoked is asked in the same round trip, so a token alone costs no round trip. The CPU is the worker's.""",
    ),
    "http": (
        "A small answer",
        """\
`/health` and a list of ten agents, beside a bare Sanic and asyncpg handler that runs the same SQL.""",
    ),
}

# Why a target is missed, by how the name of the claim begins. The page says nothing of those that are met.
REASONS: dict[str, str] = {
    "list, 1,000,000": (
        "A common phone number is counted row by row. Three filters that leave few calls read each hour in which there "
        "are some, and a duration beside an agent walks along 8,000 calls at most: an hour of more calls takes longer."
    ),
    "last page, by cursor": "Where the page lies is guessed once in vain; it costs the same at every size.",
    "ingestion": "It depends on what COPY reaches, which other work on the machine slows down less than a service.",
    "cost of the rollups": "Rounds side by side differ by ten percent where the machine has other work.",
    "single calls": (
        "One connection that commits one by one is already quick here: this disk flushes some 7,500 times a second."
    ),
}
