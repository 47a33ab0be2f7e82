"""Settings shared by every source, read from the environment and then from `.env` in the project's root."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from loaders.errors import UsageError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = PROJECT_ROOT / ".env"


Concurrency = Annotated[int, Field(ge=1, le=32)]
"""Requests under way at the same time."""


class EnvironmentSettings(BaseSettings):
    """Base of all settings: environment first, then `.env`; empty values count as unset.

    Raises:
        UsageError: a value is no value of its setting; the message names the variable.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            # no secret is told: those are texts, and any text will do
            wrong = (
                f"{self.variable(str(found['loc'][0]))}={found['input']}: {found['msg']}"
                for found in error.errors()
            )
            raise UsageError(
                f"{'; '.join(wrong)}; correct it in .env or in the environment"
            ) from None

    @classmethod
    def variable(cls, name: str) -> str:
        """Name of the environment variable behind a setting."""
        field = cls.model_fields.get(name)
        if field is None:  # an error names a setting by its variable where that is no name of ours
            return name
        alias = field.validation_alias
        if isinstance(alias, str):  # a name of its own instead of prefix and field
            return alias
        return (str(cls.model_config.get("env_prefix", "")) + name).upper()


class DatabaseSettings(EnvironmentSettings):
    """Where the warehouse is: a server named by `PGHOST`, else the embedded one of this clone."""

    pghost: str | None = None
    pgport: int = 5432
    pgdatabase: str = "warehouse"
    pguser: str | None = None
    pgpassword: SecretStr | None = None
    pgsslmode: str | None = None
    embedded_pgport: int | None = None
    embedded_pguser: str = "warehouse"
    embedded_pgpassword: SecretStr | None = None
    embedded_pgdatabase: str = "warehouse"


class RunSettings(EnvironmentSettings):
    """How a load behaves."""

    log_format: Literal["console", "json"] = "console"
    log_level: str = "INFO"
    collect_since: date | None = None
    """First day that a plain load looks at; without it the last 20 sessions, further back after an outage."""
    accept_shrunk_lists: bool = False
    """Take a list that is much shorter than the one before, which is else a failed cell."""
    progress_seconds: float = 30.0
    """Between two lines that say how far a load is, where no progress bar can be shown."""
    http_timeout_seconds: float = 60.0
    http_attempts: int = 5
    http_backoff_seconds: float = 1.0


class SourceSettings(EnvironmentSettings):
    """What every source's settings share. `requests_per_minute` of 0 means no limit (for a simulator)."""

    base_url: str = ""
    requests_per_minute: float = 60.0
    concurrency: Concurrency = 1
    """Requests under way at the same time, where a feed's cells do not depend on each other; the rate is kept all the same."""

    @property
    def is_base_url_set(self) -> bool:
        """The address stands in the environment or in `.env`: how a crawled service is switched on."""
        return "base_url" in self.model_fields_set

    def missing_secrets(self) -> list[str]:
        """Names of the environment variables that this source cannot work without and that are not set."""
        return [
            self.variable(name)
            for name, field in type(self).model_fields.items()
            if field.json_schema_extra == {"secret": True} and getattr(self, name) is None
        ]

    def what_is_wrong(self) -> str | None:
        """What in the settings keeps this source from being asked at all, or None."""
        return None

    def secret_values(self) -> list[str]:
        """The secrets themselves, to be struck out of anything that is logged or stored."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
