"""All SQL about webhooks and their deliveries. `owner_id` stands in every WHERE clause: it is the tenant wall."""
