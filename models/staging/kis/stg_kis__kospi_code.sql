{{ stg_kis_master(
    source('kis', 'kis__kospi_code'), 'KOSPI',
    is_kospi200="source_rows.kospi200_sector_code not in ('', '0')",
) }}
