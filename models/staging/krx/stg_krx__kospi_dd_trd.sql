{{ stg_krx_index_levels(source('krx', 'krx__kospi_dd_trd')) }}
