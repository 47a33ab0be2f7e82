with

source_rows as (
    select * from {{ source('wics', 'wics__get_index_componets_info') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        fetches.request ->> 'sec_cd' as sector_code,
        {{ to_date8("fetches.request ->> 'dt'") }} as list_date,
        -- milliseconds since 1970 of midnight in Seoul
        case
            when source_rows.trd_dt ~ '^/Date[(][0-9]{10,13}[)]/$'
                then (
                    to_timestamp(substring(source_rows.trd_dt from '[0-9]+')::numeric / 1000) at time zone 'Asia/Seoul'
                )::date
        end as vendor_date,
        {{ to_number('source_rows.cnt') }} as name_count,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
