"""The REST API of the broker: what is collected through it, and when."""

from datetime import date, time
from functools import partial

from loaders.feeds import Cadence, Collected, Feed, Service, cell_by_cell, scope_by_scope
from loaders.kis import client, events, prices

SERVICE = Service(
    name="api",
    title="오픈 API (REST API)",
    settings=client.KisSettings,
    how_to_get=client.HOW_TO_GET,
    is_busy=client.is_busy,
    is_final=client.is_final,
    check_status=client.check_status,
    feeds=(
        Feed(
            name="chk_holiday",
            datasets=("trading_calendar",),
            collect=events.collect_holidays,
            cadence=Cadence.MONTHLY,
            latest_only=True,
            published_at=time(7, 0),
        ),
        Feed(
            name="ksdinfo",
            datasets=("corporate_actions",),
            collect=events.collect_depository,
            published_at=time(7, 0),
            scopes=events.depository_scopes,
        ),
        Feed(
            name="daily_chart",
            datasets=("ohlcv_daily",),
            collect=prices.collect_daily,
            # the regular close is final at 15:30; the day's volume moves until the after-market ends
            published_at=time(20, 10),
            scopes=prices.listed_codes,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
            request_count=partial(prices.request_per_days, prices.DAYS_PER_REQUEST),
            apart=scope_by_scope,
        ),
        Feed(
            name="daily_chart_adjusted",
            datasets=("ohlcv_daily_adjusted",),
            collect=prices.collect_daily_adjusted,
            published_at=time(20, 10),
            takes_stock_codes=True,
            collected=Collected.SCOPE_NAMED,
            request_count=partial(prices.request_per_days, prices.DAYS_PER_REQUEST),
            apart=scope_by_scope,
        ),
        Feed(
            name="minutes",
            datasets=("ohlcv_minute",),
            collect=prices.collect_minutes,
            poll=prices.poll_minutes,
            published_at=time(20, 10),
            scopes=prices.listed_codes,
            # the vendor keeps about 250 sessions; what it no longer has, it says itself
            since=date(1995, 5, 2),
            window_sessions=1,
            takes_stock_codes=True,
            request_count=lambda cells: prices.MINUTE_PAGES * len(cells),
            apart=cell_by_cell,
        ),
        Feed(
            name="investors",
            datasets=("investor_trading",),
            collect=prices.collect_investors,
            published_at=time(20, 10),
            scopes=prices.listed_codes,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
            request_count=partial(prices.request_per_days, prices.INVESTOR_DAYS_PER_REQUEST),
            apart=scope_by_scope,
        ),
        Feed(
            name="fund_parts",
            datasets=("etf_portfolios",),
            collect=events.collect_fund_parts,
            cadence=Cadence.WEEKLY,
            latest_only=True,
            published_at=time(20, 10),
            scopes=events.listed_funds,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
            apart=cell_by_cell,
        ),
        Feed(
            name="search_stock_info",
            datasets=("stocks",),
            collect=events.collect_stock_info,
            latest_only=True,
            published_at=time(7, 0),
            takes_stock_codes=True,
            collected=Collected.SCOPE_NAMED,
        ),
    ),
)
