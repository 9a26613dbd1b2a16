"""Settings of a handler: a small typed model, read once from the environment that template.yaml sets."""

from typing import Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import SettingsError

PREFIX = "LEASTWISE_"


class Settings(BaseSettings):
    """Base of every handler's settings: `LEASTWISE_<FIELD>`, no defaults for names of resources."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises SettingsError, which names each variable that is missing or wrong but never shows a value.
        """
        try:
            return cls()
        except ValidationError as error:
            wrong = [f"{PREFIX}{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
            raise SettingsError("; ".join(wrong)) from None
