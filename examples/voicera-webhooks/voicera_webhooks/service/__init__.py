"""The rules: who subscribes, what is written with an event, how it is sent, and where it may never be sent."""
