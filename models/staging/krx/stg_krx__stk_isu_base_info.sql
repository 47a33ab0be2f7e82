{{ stg_krx_base_info(source('krx', 'krx__stk_isu_base_info')) }}
