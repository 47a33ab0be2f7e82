-- The rows of stg_kis__time_dailychartprice as sent, with whether a cast is all that it takes to read them: so a whole
-- market's minutes are read, of which nearly every one is plain. Without CTEs, which would keep PostgreSQL from joining
-- first and looking only at what is left.
{% set digits = {
    'stck_oprc': 9, 'stck_hgpr': 9, 'stck_lwpr': 9, 'stck_prpr': 9, 'cntg_vol': 9, 'acml_tr_pbmn': 15,
} %}

select
    source_rows.stck_bsop_date as bar_date_text,
    source_rows.stck_cntg_hour as minute_label,
    source_rows.stck_cntg_hour as clock,
    source_rows.stck_oprc as open_price,
    source_rows.stck_hgpr as high_price,
    source_rows.stck_lwpr as low_price,
    source_rows.stck_prpr as close_price,
    source_rows.cntg_vol as volume,
    source_rows.acml_tr_pbmn as cumulative_value,
    {{ are_plain_digits(digits, 'source_rows', 'source_rows.stck_cntg_hour') }} as is_plain,
    source_rows._fetch_id as fetch_id,
    source_rows._row_number as row_number
from {{ source('kis', 'kis__inquire_time_dailychartprice') }} as source_rows
