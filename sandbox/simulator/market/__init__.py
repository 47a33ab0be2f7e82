"""The sample market: invented names, deterministic from a seed, consistent across vendors and days.

Vendors read it from here; what happens in it stands in `cast`, `indexes`, `actions`, `etfs` and in the simulator's README.
"""

from sandbox.simulator.market.actions import CorporateAction
from sandbox.simulator.market.core import Market, market
from sandbox.simulator.market.hours import after_market_minutes, regular_minutes
from sandbox.simulator.market.indexes import IndexBar, IndexChange
from sandbox.simulator.market.industries import (
    KRX_SECTORS,
    WICS_GROUPS,
    WICS_SECTORS,
    krx_sector_name,
)
from sandbox.simulator.market.minutes import MinuteBar
from sandbox.simulator.market.rules import (
    AFTER_MARKET_FROM,
    FIRST_SESSION,
    LAST_SESSION,
    check_digit,
    limits,
    parse_day,
    tick,
    to_tick,
    yyyymmdd,
)
from sandbox.simulator.market.securities import (
    LEAVES,
    Bar,
    Etf,
    ForeignHolding,
    Holding,
    Security,
    Stock,
)

__all__ = [
    "AFTER_MARKET_FROM",
    "FIRST_SESSION",
    "KRX_SECTORS",
    "LAST_SESSION",
    "LEAVES",
    "WICS_GROUPS",
    "WICS_SECTORS",
    "Bar",
    "CorporateAction",
    "Etf",
    "ForeignHolding",
    "Holding",
    "IndexBar",
    "IndexChange",
    "Market",
    "MinuteBar",
    "Security",
    "Stock",
    "after_market_minutes",
    "check_digit",
    "krx_sector_name",
    "limits",
    "market",
    "parse_day",
    "regular_minutes",
    "tick",
    "to_tick",
    "yyyymmdd",
]
