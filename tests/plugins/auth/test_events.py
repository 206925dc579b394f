"""What other plugins hear of accounts."""

from __future__ import annotations

from dataclasses import asdict
from types import ModuleType
from uuid import UUID

from core.settings import Settings
from plugins.auth.hookspecs import RegisteredUser
from plugins.auth.service.operators import create_user
from voicera import Resources, hookimpl
from voicera.testing import PASSWORD, Running, eventually, running_app, settings_for_tests


async def test_a_new_account_is_heard_of_once_and_without_its_secrets(stack: Settings, running: Running) -> None:
    heard: list[RegisteredUser] = []

    @hookimpl
    async def user_registered(resources: Resources, user: RegisteredUser) -> None:
        heard.append(user)

    module = ModuleType("hears_of_users")
    vars(module)["user_registered"] = user_registered
    names = {"first_name": "Ada", "last_name": "Byron"}
    async with running_app(settings_for_tests(stack), plugins=[module], migrated=True) as app:
        user = await app.client.new_user()
        email = user.user["email"]
        again = await app.client.post("/auth/register", {"email": email, "password": PASSWORD, **names})
        assert again.status == 409
        operated = {"email": f"operator-{email}", "password": PASSWORD, **names}
        made = await create_user(app.resources, operated, admin=True)
        await eventually(lambda: len(heard) == 2)
    assert [asdict(each) for each in heard] == [
        {"owner_id": UUID(user.user["user"]["id"]), "email": email, **names},
        {"owner_id": made.id, "email": f"operator-{email}", **names},
    ]
