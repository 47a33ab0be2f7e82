{{ stg_kis_master(source('kis', 'kis__konex_code'), 'KONEX', has_sectors=false) }}
