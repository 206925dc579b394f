"""What can go wrong with webhooks."""

from voicera import ApiError


class WebhookNotFound(ApiError):
    """Webhook not found."""

    code, status = "WEBHOOK_001", 404


class WebhookOff(ApiError):
    """The webhook is switched off."""

    code, status = "WEBHOOK_002", 409


class TooManyWebhooks(ApiError):
    """There are too many webhooks."""

    code, status = "WEBHOOK_003", 409


class DeliveryNotFound(ApiError):
    """Delivery not found."""

    code, status = "WEBHOOK_004", 404


ALL = [WebhookNotFound, WebhookOff, TooManyWebhooks, DeliveryNotFound]
