"""What the layers of a built warehouse say against its data, one line of text each: the words of the table of plants."""

from tests.conftest import Database

QUERIES = (
    # the ledger's last word on a cell
    "select distinct concat_ws(' ', 'cell', dataset, source, scope, collection_date) from ("
    " select distinct on (source, dataset, scope, collection_date) source, dataset, scope, collection_date, status"
    " from raw.fetch_cells order by source, dataset, scope, collection_date, ledger_id desc) as newest"
    " where status in ('FAILED', 'PARTIAL')",
    # an answer that was refused, and that another way in made good
    "select distinct concat_ws(' ', 'refused', refused.dataset, refused.source, refused.scope, refused.collection_date)"
    " from raw.fetch_cells as refused inner join raw.fetch_cells as later on (refused.source, refused.dataset, refused.scope,"
    " refused.collection_date) = (later.source, later.dataset, later.scope, later.collection_date)"
    " and refused.ledger_id < later.ledger_id where refused.status = 'FAILED' and later.status = 'SUCCESS'",
    "select distinct concat_ws(' ', 'rejected', dataset, source, stock_code, trade_date, rule_id) from quality.rejected_rows"
    " where rule_id !~ '^HELD_|NO_TRADES'",
    "select distinct concat_ws(' ', 'rejected', dataset, source, item, trade_date, rule_id) from quality.rejected_rows"
    " where dataset in ('index_daily', 'index_members')",
    "select distinct concat_ws(' ', 'rejected', dataset, source, coalesce(stock_code, item), rule_id) from quality.rejected_rows"
    " where dataset = 'floating_shares'",
    "select distinct concat_ws(' ', 'rejected', dataset, source, item, rule_id) from quality.rejected_rows"
    " where dataset = 'index_members' and rule_id !~ '^HELD_'",
    "select distinct concat_ws(' ', 'warned', dataset, source, stock_code, trade_date, rule_id) from quality.warned_rows"
    " where rule_id <> 'VALUE_NOT_TOLD'",
    "select distinct concat_ws(' ', 'missing', dataset, source, stock_code, trade_date) from quality.missing_rows",
    "select concat_ws(' ', 'ranking', stock_code, time) from quality.ranking_comparison"
    " where ranking_close_price <> close_price or ranking_volume <> volume"
    " or ranking_trading_value <> trading_value or ranking_market_cap <> market_cap",
    "select concat_ws(' ', 'base price', source, stock_code, trade_date) from quality.base_price_breaks",
    "select concat_ws(' ', 'price limit', source, stock_code, trade_date) from quality.price_limit_breaks"
    " where exemption is null",
    "select concat_ws(' ', 'factor', stock_code, ex_date, kind) from marts.adjustment_factors where kind = 'UNKNOWN'",
    "select concat_ws(' ', 'delisted', source, stock_code, trade_date) from quality.delisted_names_with_prices",
    "select concat_ws(' ', 'foreign leaves', source, trade_date) from quality.foreign_leaves_by_day"
    " where other_foreigner_volume > foreigner_volume",
    "select concat_ws(' ', 'minutes', source, stock_code, trade_date) from quality.minute_days_reconciled"
    " where has_other_prices or has_other_volume",
    "select concat_ws(' ', 'portfolio', source, etf_code, base_date) from quality.etf_portfolio_totals"
    " where gives_all and abs(weight_sum - 100) > 0.1",
)

OPTIONAL = {
    # layers that a warehouse need not have
    "quality.gates": "select concat_ws(' ', 'gate', dataset, source, trade_date, gate)"
    " from quality.gates where verdict = 'HELD'",
    "marts.vendor_disagreements": "select distinct concat_ws(' ', 'disagreement', dataset, stock_code, time)"
    " from marts.vendor_disagreements",
}


def has(database: Database, relation: str) -> bool:
    """Whether a warehouse has a relation."""
    return database.rows(f"select to_regclass('{relation}') is not null") == [(True,)]


def traces(database: Database) -> set[str]:
    """All that a warehouse has to say against its data."""
    optional = [query for relation, query in OPTIONAL.items() if has(database, relation)]
    return {str(line) for query in (*QUERIES, *optional) for (line,) in database.rows(query)}


def failed_tests(database: Database) -> set[str]:
    """Names of the dbt tests of the last run that did not pass."""
    return {
        str(name)
        for (name,) in database.rows(
            "select details ->> 'test' from marts.data_quality_checks where details ->> 'status' <> 'pass'"
        )
    }
