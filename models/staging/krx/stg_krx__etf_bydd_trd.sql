{{ stg_krx_daily(source('krx', 'krx__etf_bydd_trd'), of_funds=true) }}
