"""Structured log lines: readable on a terminal, JSON on request (`LOG_FORMAT=json`), secrets struck out."""

import logging
import sys
from collections.abc import Iterable

import structlog
from structlog.typing import EventDict, WrappedLogger
from tqdm.contrib import DummyTqdmFile

from loaders.config import RunSettings
from loaders.errors import UsageError


def configure(secrets: Iterable[str] = ()) -> None:
    """Set up structlog for this process.

    Args:
        secrets: values that must never appear in a line, whatever error text they arrive in.

    Raises:
        UsageError: a setting cannot be read; logs are set up all the same, to say so.
    """
    try:
        settings = RunSettings()
    except UsageError:
        _configure(RunSettings.model_construct(), ())
        raise
    _configure(settings, secrets)


def _configure(settings: RunSettings, secrets: Iterable[str]) -> None:
    hidden = [secret for secret in secrets if secret]

    def strike_out(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        for key, value in event.items():
            if isinstance(value, str):
                for secret in hidden:
                    value = value.replace(secret, "***")  # noqa: PLW2901 - struck out one after another
                event[key] = value
        return event

    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S", utc=False),
            strike_out,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
        ),
        # around a progress bar, not into it
        logger_factory=structlog.PrintLoggerFactory(DummyTqdmFile(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
