"""What dbt knows of publication times is what the loaders go by."""

import csv
from datetime import time

from loaders.catalogue import SOURCES
from loaders.config import PROJECT_ROOT
from loaders.feeds import Collected, Feed

SEEDS = PROJECT_ROOT / "seeds" / "quality"


def test_the_seed_of_cadences_is_the_catalogue() -> None:
    """Of several feeds the ones of a plain load count, and of those the latest: an alarm is for what must be there."""
    latest: dict[tuple[str, str], tuple[tuple[bool, int, time], Feed]] = {}
    for source in SOURCES:
        for feed in source.feeds:
            if feed.collected is Collected.SCOPE_NAMED:
                continue
            is_always = feed.collected is Collected.ALWAYS
            rank = (is_always, feed.published_after_sessions, feed.published_at)
            for dataset in feed.datasets:
                known = latest.get((dataset, source.name))
                if known is None or rank > known[0]:
                    latest[dataset, source.name] = (rank, feed)
    with (SEEDS / "dataset_cadence.csv").open(encoding="utf-8") as file:
        seeded = {
            (row["dataset"], row["source"]): (
                row["cadence"],
                int(row["published_after_sessions"]),
                time.fromisoformat(row["published_at"]),
                row["is_always_collected"] == "true",
            )
            for row in csv.DictReader(file)
        }
    assert seeded == {
        key: (feed.cadence.name, feed.published_after_sessions, feed.published_at, is_always)
        for key, ((is_always, _, _), feed) in latest.items()
    }


AFTER_MARKET_CLOSE = time(20, 0)


def test_what_brokers_tell_of_a_day_is_final_after_the_after_market() -> None:
    """Until then the volume of a day grows, and what came earlier would be done."""
    early = [
        (source.name, feed.name)
        for source in SOURCES
        if source.name in ("kis", "kiwoom")
        for feed in source.feeds
        if {"ohlcv_daily", "ohlcv_minute", "investor_trading"} & set(feed.datasets)
        if feed.published_at <= AFTER_MARKET_CLOSE
    ]
    assert early == []
