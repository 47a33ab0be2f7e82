"""키움증권 (Kiwoom Securities): the broker's REST API.

README.md in this folder says what the broker offers and under which terms.
"""

from loaders.feeds import Source
from loaders.kiwoom import api
from loaders.universe import current_fetches

# a plain code, or one with the A that account screens put before it; K-OTC (30) and warrants are no listed stocks
LISTINGS = f"""
    select
        regexp_replace(lists.code, '^A', ''),
        null,
        case
            when lists.market_code in ('0', '10', '50', '6') then 'STOCK'
            when lists.market_code = '8' then 'ETF'
            when lists.market_code = '60' then 'ETN'
            else 'OTHER'
        end,
        lists.market_code = '50',
        lists.reg_day,
        null
    from raw.kiwoom__ka10099 as lists
    where lists._fetch_id in ({current_fetches("kiwoom", "stocks")})
"""  # noqa: S608 - names of our own tables

SOURCE = Source(
    name="kiwoom",
    title="키움증권 (Kiwoom Securities)",
    services=(api.SERVICE,),
    listings=LISTINGS,
)
