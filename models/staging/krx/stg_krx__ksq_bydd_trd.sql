{{ stg_krx_daily(source('krx', 'krx__ksq_bydd_trd')) }}
