{{ stg_krx_daily(source('krx', 'krx__stk_bydd_trd')) }}
