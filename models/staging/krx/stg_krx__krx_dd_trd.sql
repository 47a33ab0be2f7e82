{{ stg_krx_index_levels(source('krx', 'krx__krx_dd_trd')) }}
