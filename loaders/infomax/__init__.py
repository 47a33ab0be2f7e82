"""연합인포맥스 (Infomax), data vendor: lists, daily bars, flows, foreign ownership, fund portfolios, indices.

One module a way of asking: `lists` (the latest state), `days` (the market on a day), `series` (a code over a range), `funds`.
README.md in this folder says what the vendor offers and under which terms.
"""

from datetime import time

from loaders.feeds import Cadence, Feed, Service, Source, cell_by_cell, scope_by_scope
from loaders.infomax import api, days, funds, lists, series

IN_THE_MORNING = time(7, 0)

SERVICE = Service(
    name="api",
    title="API",
    settings=api.InfomaxSettings,
    how_to_get="set INFOMAX_TOKEN: terminal screen 9000 shows it, or ask api_infomax@yna.co.kr for a contract",
    is_busy=api.is_busy,
    check_status=api.check_status,
    feeds=(
        Feed(
            name="stock_code",
            datasets=("stocks",),
            collect=lists.collect_master,
            latest_only=True,
            may_shrink_by=0.2,
            list_part="type",
            published_at=IN_THE_MORNING,
            request_count=lists.master_requests,
        ),
        Feed(
            name="stock_expired",
            datasets=("delisted_stocks",),
            collect=lists.collect_delisted,
            latest_only=True,
            may_shrink_by=0.2,
            published_at=IN_THE_MORNING,
            scopes=lists.delisting_years,
        ),
        Feed(
            name="index_code",
            datasets=("index_list",),
            collect=lists.collect_index_list,
            cadence=Cadence.WEEKLY,
            latest_only=True,
            may_shrink_by=0.2,
            published_at=IN_THE_MORNING,
        ),
        Feed(
            name="index_constituents",
            datasets=("index_components",),
            collect=lists.collect_index_members,
            latest_only=True,
            may_shrink_by=0.1,
            published_at=IN_THE_MORNING,
            scopes=lists.indices_with_members,
        ),
        Feed(
            name="stock_info",
            datasets=("ohlcv_daily", "market_cap_daily"),
            collect=days.collect_bars,
            published_at=series.FINAL_AT,
            scopes=days.bar_scopes,
            request_count=days.bar_requests,
        ),
        Feed(
            name="stock_hist",
            datasets=("ohlcv_daily", "market_cap_daily"),
            collect=series.collect_history,
            published_at=series.FINAL_AT,
            scopes=series.new_listings,
            takes_stock_codes=True,
            request_count=series.request_count(series.HISTORY_DAYS_PER_REQUEST),
            apart=scope_by_scope,
        ),
        Feed(
            name="stock_rank",
            datasets=("market_rank_check",),
            collect=days.collect_ranking,
            published_at=series.FINAL_AT,
            request_count=days.rank_requests,
        ),
        Feed(
            name="index_hist",
            datasets=("index_daily",),
            collect=series.collect_index_levels,
            published_at=series.FINAL_AT,
            scopes=series.index_names,
            request_count=series.request_count(series.HISTORY_DAYS_PER_REQUEST),
            apart=scope_by_scope,
        ),
        Feed(
            name="etf_port",
            datasets=("etf_portfolios",),
            collect=funds.collect_portfolios,
            cadence=Cadence.WEEKLY,
            published_at=series.FINAL_AT,
            scopes=funds.listed_funds,
            window_sessions=5,
            takes_stock_codes=True,
            apart=cell_by_cell,
        ),
        Feed(
            name="stock_investor",
            datasets=("investor_trading",),
            collect=series.collect_investors,
            published_at=series.FINAL_AT,
            scopes=series.listed_stocks,
            takes_stock_codes=True,
            request_count=series.request_count(series.INVESTOR_DAYS_PER_REQUEST),
            apart=scope_by_scope,
        ),
        Feed(
            name="stock_foreign",
            datasets=("foreign_ownership_daily",),
            collect=series.collect_foreign_ownership,
            published_after_sessions=1,
            published_at=series.FOREIGN_AT,
            scopes=series.listed_stocks,
            takes_stock_codes=True,
            request_count=series.request_count(series.HISTORY_DAYS_PER_REQUEST),
            apart=scope_by_scope,
        ),
    ),
)

SOURCE = Source(
    name="infomax",
    title="연합인포맥스 (Infomax)",
    services=(SERVICE,),
    listings=lists.LISTINGS,
)
