"""All SQL of the accounts, one module a subject."""
