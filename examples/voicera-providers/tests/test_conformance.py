"""What every plugin must do."""

from voicera.testing import check_plugin

import voicera_providers

TestConformance = check_plugin(
    voicera_providers,
    public={"POST /provider-connections/{connection_id}/events": "providers have no token of ours, they sign"},
)
