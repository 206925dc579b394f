"""Is not ready while the CRM does not answer, so that no traffic comes that needs it."""

import asyncio
from collections.abc import Mapping

from voicera import Resources, hookimpl

CRM = ("127.0.0.1", 7070)


@hookimpl
def readiness_checks(resources: Resources) -> Mapping[str, object]:
    return {"crm": ask_crm}


async def ask_crm() -> None:
    _, writer = await asyncio.open_connection(*CRM)
    writer.close()
    await writer.wait_closed()
