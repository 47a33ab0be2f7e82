with

source_rows as (
    select * from {{ source('fnguide', 'fnguide__svd_main') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

-- two numbers in one cell: common and preferred shares, shares and percent
split as (
    select
        *,
        trim(split_part(issued_shares, '/', 1)) as issued_common_shares,
        trim(split_part(floating_shares, '/', 1)) as floating_common_shares,
        trim(split_part(floating_shares, '/', 2)) as vendor_ratio
    from source_rows
),

final as (
    select
        regexp_replace(fetches.request ->> 'gicode', '^A', '') as stock_code,
        {{ to_date8('split.price_date') }} as base_date,
        split.company_name as stock_name,
        split.fics as industry,
        {{ to_number('split.floating_common_shares') }} as floating_shares,
        {{ to_number('split.issued_common_shares') }} as total_shares,
        {{ to_number('split.vendor_ratio') }} as floating_ratio,
        {{ unreadable_fields(['issued_common_shares', 'floating_common_shares', 'vendor_ratio'], 'split') }}
            as unreadable_fields,
        split._fetch_id as fetch_id,
        split._row_number as row_number
    from split
    inner join fetches on split._fetch_id = fetches.fetch_id
)

select * from final
