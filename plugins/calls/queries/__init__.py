"""All SQL of the call logs and recordings. Every statement is led by the owner, and touches one."""
