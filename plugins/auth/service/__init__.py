"""The rules of accounts, one module a subject: accounts, sessions, API keys, who calls, and what they rest on."""
