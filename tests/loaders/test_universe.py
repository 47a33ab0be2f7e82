"""Whom a feed asks for: what several lists say of one code."""

from datetime import date

import pytest

from loaders.universe import Listing, listed_on

DAY = date(2026, 11, 27)


def listing(kind: str, listed: str, delisted: str | None = None) -> Listing:
    return Listing("0043Y0", "KR70043Y0002", kind, False, listed, delisted)


@pytest.mark.parametrize("listed", ["", "20250519", "20250521"])
def test_a_fund_that_another_list_calls_a_stock_of_another_day_is_a_fund(listed: str) -> None:
    told = [listing("ETF", "20250520"), listing("STOCK", listed)]
    told.sort(key=lambda entry: entry.listed)
    assert [entry.kind for entry in listed_on(told, DAY)] == ["ETF"]


def test_a_code_that_came_to_a_stock_after_a_fund_is_a_stock() -> None:
    told = [listing("ETF", "20100520", "20150520"), listing("STOCK", "20200520")]
    assert [entry.kind for entry in listed_on(told, DAY)] == ["STOCK"]
