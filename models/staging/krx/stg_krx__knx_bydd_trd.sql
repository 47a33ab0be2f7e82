{{ stg_krx_daily(source('krx', 'krx__knx_bydd_trd')) }}
