-- What somebody writes by hand for a day of minute bars who knows that every row is sound: casts, the minute of a label, and
-- the value of a minute as the difference of two running totals.
insert into bench.ohlcv_minute
select
    to_timestamp(bars.stck_bsop_date || left(bars.stck_cntg_hour, 4), 'YYYYMMDDHH24MI') as time,
    fetches.request ->> 'FID_INPUT_ISCD' as stock_code,
    bars.stck_oprc::integer as open_price,
    bars.stck_hgpr::integer as high_price,
    bars.stck_lwpr::integer as low_price,
    bars.stck_prpr::integer as close_price,
    bars.cntg_vol::bigint as volume,
    bars.acml_tr_pbmn::bigint - lag(bars.acml_tr_pbmn::bigint, 1, 0::bigint) over (
        partition by fetches.request ->> 'FID_INPUT_ISCD' order by bars.stck_cntg_hour
    ) as trading_value,
    'REGULAR' as session,
    'KRX' as venue,
    'kis' as source,
    fetches.fetched_at as created_at
from raw.kis__inquire_time_dailychartprice as bars
inner join raw.fetches as fetches on bars._fetch_id = fetches.fetch_id
where bars._fetch_id between %(first)s and %(last)s
