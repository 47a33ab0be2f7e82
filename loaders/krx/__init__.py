"""한국거래소 (Korea Exchange): the Open API and the index site.

README.md in this folder says what the exchange offers and under which terms.
"""

from loaders.feeds import Source
from loaders.krx import index_site, open_api
from loaders.universe import current_fetches

LISTINGS = " union all ".join(
    f"""
    select isu_srt_cd, isu_cd, 'STOCK', {is_konex}, list_dd, null
    from raw.krx__{market}_isu_base_info
    where _fetch_id in ({current_fetches("krx", "stocks")})
    """  # noqa: S608 - names of our own tables
    for market, is_konex in (("stk", "false"), ("ksq", "false"), ("knx", "true"))
)

SOURCE = Source(
    name="krx",
    title="한국거래소 (Korea Exchange)",
    services=(open_api.SERVICE, index_site.SERVICE),
    listings=LISTINGS,
)
