{#
    Rows that break a rule and that somebody has found right, by the seed reviewed_exceptions: applied here and nowhere else.

    The seed is read when a model is compiled and stands in its SQL as constants, so that it costs nothing where there is no
    exception. Its days are days to rebuild as soon as it differs from what a table was last built with (see progress.sql).
#}

{#  Rules that no review can lift: a row that cannot be read, that no column of the marts holds, or that their own tests refuse  #}
{% macro rules_without_exception() -%}
    {{ return([
        'CODE_MALFORMED', 'VALUE_UNREADABLE', 'VALUE_MISSING', 'VALUE_OUT_OF_RANGE', 'PRICE_NOT_WHOLE', 'COUNT_NOT_WHOLE',
        'DATE_UNREADABLE', 'DATE_NOT_ASKED', 'CONFLICTING_DUPLICATE', 'LABEL_UNREADABLE', 'OTHER_DAY', 'NO_TRADES',
        'VOLUME_WITHOUT_PRICE', 'INVESTOR_UNKNOWN', 'ISIN_UNKNOWN', 'EVENT_WITHOUT_SIDES', 'COMPONENT_UNNAMED',
        'PRICE_ORDER', 'PRICE_ZERO', 'VALUE_NEGATIVE', 'RATIO_ABOVE_100', 'FLOAT_NOT_POSITIVE', 'FLOAT_ABOVE_LISTED',
        'FLOWS_UNBALANCED', 'LEAVES_INCOMPLETE', 'COMPONENT_CODE_TOO_LONG', 'EX_DATE_UNKNOWN', 'LISTED_SHARES_UNKNOWN', 'CLOSE_NOT_POSITIVE',
        'NAV_NOT_POSITIVE',
        'HELD_WITH_ITS_GROUP', 'HELD_WITH_ITS_DAY', 'HELD_WITH_ITS_MINUTE', 'HELD_WITH_ITS_LIST',
    ]) }}
{%- endmacro %}

{#  The seed as a relation, or none before it was built; dbt_project.yml makes every inner model wait for it  #}
{% macro reviewed_exceptions() -%}
    {#-  a unit test knows no graph; dbt writes every node out that is looked at, so this one alone is  -#}
    {%- set nodes = graph.get('nodes', {}) if execute else {} -%}
    {%- set seed = nodes.get('seed.' ~ project_name ~ '.reviewed_exceptions') -%}
    {{ return(adapter.get_relation(seed.database, seed.schema, seed.alias) if seed else none) }}
{%- endmacro %}

{#  Exceptions of a dataset as rows of SQL values: source, stock, day, item, rule  #}
{% macro reviewed_values(dataset) -%}
    {%- set relation = reviewed_exceptions() -%}
    {%- if not relation -%}{{ return([]) }}{%- endif -%}
    {{ return(run_query(
        "select format('(%L, %L, date %L, %L::text, %L)', source, coalesce(stock_code, ''), trade_date, item, rule_id)"
        ~ ' from ' ~ relation ~ " where dataset = '" ~ dataset ~ "' and rule_id not in ('"
        ~ rules_without_exception() | join("', '") ~ "') order by 1"
    ).columns[0].values() | list) }}
{%- endmacro %}

{#
    An array of rules less those that a review has lifted from the row; with `lifted` those that it has. Both are the plain
    array, and an empty one, where the dataset has no exception.
    Example: {{ unreviewed('daily_prices', 'broken_rules', 'collection_date', 'null') }} as broken_rules
#}
{% macro unreviewed(dataset, rules, day, item, lifted=false) -%}
    {%- set reviewed = reviewed_values(dataset) -%}
    {%- if not reviewed -%}
        {{ "'{}'::text[]" if lifted else rules }}
    {%- else -%}
        array(
            select broken.rule_id
            from unnest({{ rules }}) with ordinality as broken (rule_id, position)
            where {{ '' if lifted else 'not' }} exists (
                select from (values {{ reviewed | join(', ') }}) as reviewed (source, stock_code, day, item, rule_id)
                where reviewed.source = checked.source
                    and reviewed.stock_code = coalesce(checked.stock_code, '')
                    and reviewed.day = {{ day }}
                    and (reviewed.item is null or reviewed.item = {{ item }}::text)
                    and reviewed.rule_id = broken.rule_id
            )
            order by broken.position
        )
    {%- endif -%}
{%- endmacro %}

{#  Rules that a review has lifted from a row, separated by commas  #}
{% macro lifted_rules(dataset, rules, day, item) -%}
    array_to_string({{ unreviewed(dataset, rules, day, item, lifted=true) }}, ',')
{%- endmacro %}

{#  Exceptions of the datasets of the model at hand, as a query of texts that begin with the day; none without the seed  #}
{% macro reviewed_days() -%}
    {%- set relation = reviewed_exceptions() -%}
    {%- if not relation or not model.config.meta.get('datasets') -%}{{ return(none) }}{%- endif -%}
    {{ return(
        "select concat_ws('|', to_char(trade_date, 'YYYY-MM-DD'), dataset, source, stock_code, item, rule_id) as entry from "
        ~ relation ~ " where case dataset when 'daily_prices' then 'ohlcv_daily' when 'minute_bars' then 'ohlcv_minute'"
        ~ " else dataset end in ('" ~ model.config.meta.datasets | join("', '") ~ "')"
    ) }}
{%- endmacro %}
