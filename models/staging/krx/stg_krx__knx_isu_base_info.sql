{{ stg_krx_base_info(source('krx', 'krx__knx_isu_base_info')) }}
