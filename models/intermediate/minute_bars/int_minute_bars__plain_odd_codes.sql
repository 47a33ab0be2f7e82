-- Half of int_minute_bars__plain_stock_days: the stocks whose code has an odd fifth character.
{{ plain_stock_days(parity=1) }}
