"""한국거래소 (Korea Exchange): the Open API, the index site, the data portal and the public site.

README.md in this folder says what the exchange offers and under which terms.
"""

from loaders.feeds import Source
from loaders.krx import index_site, open_api, open_site, portal
from loaders.universe import current_fetches

BASE_INFO = " union all ".join(
    f"""
    select isu_srt_cd, isu_cd, 'STOCK', {is_konex}, list_dd, null
    from raw.krx__{market}_isu_base_info
    where _fetch_id in ({current_fetches("krx", "stocks")})
    """  # noqa: S608 - names of our own tables
    for market, is_konex in (("stk", "false"), ("ksq", "false"), ("knx", "true"))
)

LISTINGS = f"""
    {BASE_INFO}
    union all
    select isu_srt_cd, isu_cd, 'STOCK', mkt_tp_nm = 'KONEX', list_dd, null
    from raw.krx__mdcstat01901
    where _fetch_id in ({current_fetches("krx", "stocks")})
    union all
    select isu_srt_cd, isu_cd, 'ETF', false, list_dd, null
    from raw.krx__mdcstat04601
    where _fetch_id in ({current_fetches("krx", "etf_list")})
"""  # noqa: S608 - names of our own tables

SOURCE = Source(
    name="krx",
    title="한국거래소 (Korea Exchange)",
    services=(open_api.SERVICE, index_site.SERVICE, portal.SERVICE, open_site.SERVICE),
    listings=LISTINGS,
)
