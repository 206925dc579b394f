"""The settings of this plugin."""

import pytest
from pydantic import ValidationError

from voicera_providers.settings import ProvidersSettings


@pytest.mark.parametrize("wrong", ["12", "1234567890", "+1234567\n", "+12345678901234567"])
def test_a_number_of_the_wrong_form_is_refused_with_what_is_wanted_and_not_shown(wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ProvidersSettings(providers_web_number=wrong)
    said = str(caught.value)
    assert "must be a phone number in the form of E.164: +, then 7 to 15 digits" in said
    assert wrong not in said
