"""Prefixes of IAM's unique ids. Kept apart from the models, so that reading a trail runs without pydantic.

Source: IAM User Guide, "IAM identifiers", "Unique identifiers".
"""

USER_ID_PREFIX = "AIDA"
ROLE_ID_PREFIX = "AROA"
