"""The examples of the API document: the reference's own, with the fields that stand beside them."""

from __future__ import annotations

from typing import Any

USER: dict[str, Any] = {
    "id": "018d5481-3240-7000-8000-000000000001",
    "email": "user@example.com",
    "first_name": "John",
    "last_name": "Doe",
    "role": "user",
    "created_at": "2024-01-29T10:30:00Z",
}
REGISTER = {"email": "user@example.com", "password": "SecurePass123!", "first_name": "John", "last_name": "Doe"}
LOGIN = {"email": "user@example.com", "password": "SecurePass123!"}
TOKENS = {
    "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9…",
    "refresh_token": "vr_…",
    "expires_in": 86400,
}
LOGGED_IN = {**TOKENS, "user": USER}
PASSWORD_CHANGE = {"current_password": "SecurePass123!", "new_password": "Another-Secure-456"}
NEW_API_KEY = {"name": "voice server", "scopes": ["calls:write"], "expires_in": 90}
API_KEY = {
    "id": "018d5481-3240-7000-8000-000000000002",
    "name": "voice server",
    "prefix": "vk_3vQ9Zt",
    "scopes": ["calls:write"],
    "created_at": "2024-01-29T10:30:00Z",
    "expires_at": "2024-04-28T10:30:00Z",
    "last_used_at": None,
}
API_KEY_MADE = {**API_KEY, "key": "vk_3vQ9Zt…"}
API_KEYS = {"total": 1, "skip": 0, "limit": 50, "items": [API_KEY]}
USERS = {"total": 1, "skip": 0, "limit": 50, "items": [USER]}
