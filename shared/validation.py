"""What is wrong with something from outside that a model refused, without the values. Pure."""

from pydantic import ValidationError


def describe(error: ValidationError) -> str:
    """Where and why validation failed, without the values (they may be secret)."""
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or '$'}: {item['msg']}" for item in error.errors()[:5])
