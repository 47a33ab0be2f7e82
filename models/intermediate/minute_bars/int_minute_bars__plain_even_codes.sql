-- Half of int_minute_bars__plain_stock_days: the stocks whose code has an even fifth character.
{{ plain_stock_days(parity=0) }}
