"""All SQL about campaigns: reading and changing them, their phone numbers, their transitions."""
