"""What every plugin must do."""

from voicera.testing import check_plugin

import voicera_webhooks

TestConformance = check_plugin(voicera_webhooks)
