{{ stg_krx_index_levels(source('krx', 'krx__kosdaq_dd_trd')) }}
