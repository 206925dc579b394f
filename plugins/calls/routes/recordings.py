"""HTTP of the recordings."""

from __future__ import annotations

from uuid import UUID

from plugins.calls.errors import BrokenWav, CallNotFound, NotAWav, RecordingNotFound
from plugins.calls.schemas.recordings import (
    EXAMPLE_RECORDING,
    EXAMPLE_RECORDINGS,
    MEDIA,
    RecordingItem,
    RecordingPaging,
    RecordingView,
)
from plugins.calls.service import downloads, recordings, uploads
from plugins.calls.settings import CallsSettings
from voicera import (
    BadRequest,
    Blueprint,
    Page,
    RangeNotSatisfiable,
    Reply,
    Request,
    etag,
    if_none_match,
    metered,
    raw,
    reply,
    requires,
    span_of,
    streamed,
)

READ, WRITE = "recordings:read", "recordings:write"
AUDIO = "audio/wav"
blueprint = Blueprint("/call-recordings", tag="Recordings")


@blueprint.put(
    "/{call_id}",
    streamed_body=bytes,
    media=MEDIA,
    returns=RecordingView,
    status=201,
    also={200: "It took the place of an earlier recording."},
    raises=(CallNotFound, RecordingNotFound, NotAWav, BrokenWav),
    limit="upload",
    deadline=0,
    examples={"reply": EXAMPLE_RECORDING},
)
@requires(WRITE)
async def put_recording(request: Request, call_id: UUID) -> Reply:
    """Upload the recording of a call: the WAV file is the body, with a Content-Length or chunked.

    PCM, IEEE float, A-law and µ-law, from one to eight channels. The recording that was there before stays until
    the new one is complete, also if the upload fails. The rate limit counts bytes; a file larger than the whole
    limit is taken when nothing else was uploaded lately, and the next one waits the longer.
    """
    _check_media(request)
    resources, owner_id = request.resources, request.principal.owner_id
    await uploads.check_call(resources, owner_id, call_id)
    async with metered(request, resources.settings.of(CallsSettings).max_recording_bytes) as body:
        replaced = await uploads.receive(resources, owner_id, call_id, body)
    return reply(await recordings.get(resources, owner_id, call_id), 200 if replaced else 201)


@blueprint.get("", query=RecordingPaging, returns=Page[RecordingItem], examples={"reply": EXAMPLE_RECORDINGS})
@requires(READ)
async def list_recordings(request: Request) -> Reply:
    """List recordings, newest call first."""
    wanted = request.query(RecordingPaging)
    return reply(await recordings.page(request.resources, request.principal.owner_id, wanted))


@blueprint.get("/{call_id}", returns=RecordingView, raises=(RecordingNotFound,), examples={"reply": EXAMPLE_RECORDING})
@requires(READ)
async def get_recording(request: Request, call_id: UUID) -> Reply:
    """Show a recording: what the file is, what the call log says, and an address to play it from."""
    return reply(await recordings.get(request.resources, request.principal.owner_id, call_id))


@blueprint.get(
    "/{call_id}/download",
    reply_media=AUDIO,
    also={206: "The bytes that `Range` asks for."},
    raises=(RecordingNotFound, RangeNotSatisfiable, BadRequest),
    headers={
        "ETag": "The file's SHA-256.",
        "Accept-Ranges": "`bytes`",
        "Content-Range": "Which bytes these are, with 206.",
        "Content-Disposition": "A name to save the file under.",
    },
    request_headers={
        "Range": "One range of bytes, such as `bytes=0-1023`, `bytes=1024-` or `bytes=-1024`.",
        "If-Range": "The `ETag` for which `Range` is meant; if it is no longer so, the whole file is answered.",
    },
)
@requires(READ)
async def download_recording(request: Request, call_id: UUID) -> Reply:
    """Download a recording, or a range of its bytes (RFC 9110, section 14)."""
    resources = request.resources
    stored = await downloads.find(resources, request.principal.owner_id, call_id)
    headers = {"ETag": etag(stored.sha256), "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if if_none_match(request, stored.sha256):
        return raw(b"", AUDIO, 304, headers)
    span = span_of(request, stored.size, stored.sha256)
    headers |= {**span.headers, "Content-Disposition": f'attachment; filename="{call_id}.wav"'}
    if request.method == "HEAD":
        return raw(b"", AUDIO, span.status, headers)
    body = await downloads.open_stored(resources, stored, span.first, span.last)
    return streamed(body, AUDIO, span.status, headers)


@blueprint.delete("/{call_id}", status=204, raises=(RecordingNotFound,))
@requires(WRITE)
async def delete_recording(request: Request, call_id: UUID) -> Reply:
    """Delete the recording of a call; the call log stays."""
    await recordings.delete(request.resources, request.principal.owner_id, call_id)
    return reply(status=204)


def _check_media(request: Request) -> None:
    """Refuse other content types, and content encodings: audio gains nothing by them, and sizes would lie."""
    media = request.headers.getone("content-type", AUDIO).partition(";")[0].strip().lower()
    if media not in MEDIA:
        raise NotAWav(f"the content type must be {' or '.join(MEDIA)}")
    if request.headers.getone("content-encoding", "identity").strip().lower() != "identity":
        raise NotAWav("send the file without a content encoding")
