{{ stg_kis_master(
    source('kis', 'kis__kosdaq_code'), 'KOSDAQ',
    is_kosdaq150="source_rows.kosdaq150_yn = 'Y'",
) }}
