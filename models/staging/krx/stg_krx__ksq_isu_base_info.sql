{{ stg_krx_base_info(source('krx', 'krx__ksq_isu_base_info')) }}
