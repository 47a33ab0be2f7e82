"""Records of corporate actions, as a depository tells them, from what happens to the stocks."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from loaders import calendar
from sandbox.simulator.market.cast import SPLIT_OFF
from sandbox.simulator.market.rules import LAST_SESSION, to_tick
from sandbox.simulator.market.securities import Stock

DIVIDENDS = (
    # code, record date, won a share
    ("990010", date(2026, 3, 31), 45_000),
    ("990010", date(2026, 6, 30), 900),
    ("990020", date(2026, 3, 31), 400),
    ("990100", date(2026, 6, 30), 50),
    ("990110", date(2026, 6, 30), 75),
    ("991030", date(2026, 6, 30), 600),
)


@dataclass(frozen=True)
class CorporateAction:
    """One corporate action.

    Attributes:
        kind: SPLIT, BONUS, RIGHTS, CAPITAL_REDUCTION, SPLIT_OFF or DIVIDEND.
        record_date: holders of this day are entitled.
        ex_date: first session without the entitlement; the base price changes here, except for dividends.
        listing_date: new shares trade from here on; None for dividends.
        ratio: new shares a held share: 50 of a 50:1 split, 1 of a 100 % bonus issue, 0.2 of a rights issue, 1/3 of a
            3:1 reduction; None for dividends and split-offs.
        par_before: par value before, won.
        par_after: par value after, won.
        issued_shares: shares that come (negative: that go) with it.
        total_shares: listed shares after it.
        price: issue price of rights, won a share of a dividend; None otherwise.
        halted_from: first session of the trading halt.
        halted_to: last session of the trading halt.
    """

    stock: Stock
    kind: str
    record_date: date
    ex_date: date
    listing_date: date | None
    ratio: Fraction | None
    par_before: int
    par_after: int
    issued_shares: int
    total_shares: int
    price: int | None = None
    halted_from: date | None = None
    halted_to: date | None = None


def make(stocks: list[Stock]) -> list[CorporateAction]:
    """Records of all stocks, oldest ex-date first."""
    found = [record for stock in stocks for record in _of(stock)]
    by_code = {stock.code: stock for stock in stocks}
    found += [_dividend(by_code[code], day, won) for code, day, won in DIVIDENDS]
    found.append(_split_off(by_code["9900A0"]))
    return sorted(found, key=lambda record: (record.ex_date, record.stock.code))


def _of(stock: Stock) -> list[CorporateAction]:
    """Records that follow from a stock's factors: price and shares on one day, or shares on a later one."""
    records = []
    days = sorted(stock.actions)
    for day in days:
        price_factor, share_factor = stock.actions[day]
        if price_factor == 1:
            continue  # the listing of new shares; it belongs to the ex-date before it
        if share_factor != 1:
            records.append(_exchange(stock, day, share_factor))
        else:
            records.append(_issue(stock, day, next(later for later in days if later > day)))
    return records


def _exchange(stock: Stock, day: date, share_factor: float) -> CorporateAction:
    """Old shares against new ones, after a halt: a split, or a reduction of capital."""
    before, after = stock.shares_on(calendar.previous_session(day)), stock.bars[day].shares
    halt = [halted for halted in stock.suspended if halted < day]
    reduced = share_factor < 1
    return CorporateAction(
        stock,
        "CAPITAL_REDUCTION" if reduced else "SPLIT",
        record_date=halt[1] if reduced else calendar.previous_session(day),
        ex_date=day,
        listing_date=day,
        ratio=Fraction(share_factor).limit_denominator(1000),
        par_before=int(stock.par),
        par_after=int(stock.par_on(day)),
        issued_shares=after - before,
        total_shares=after,
        halted_from=halt[0],
        halted_to=halt[-1],
    )


def _issue(stock: Stock, ex_date: date, listing: date) -> CorporateAction:
    """New shares listed after the ex-date: for nothing (bonus), or at a price that explains the new base price."""
    price_factor, ratio = stock.actions[ex_date][0], stock.actions[listing][1] - 1
    total_shares = stock.bars[listing].shares
    close = stock.bars[calendar.previous_session(ex_date)].close
    paid = ((1 + ratio) * price_factor - 1) / ratio * close
    is_bonus = paid < 1
    return CorporateAction(
        stock,
        "BONUS" if is_bonus else "RIGHTS",
        record_date=calendar.next_session(ex_date),
        ex_date=ex_date,
        listing_date=listing,
        ratio=Fraction(ratio).limit_denominator(1000),
        par_before=int(stock.par),
        par_after=int(stock.par),
        issued_shares=total_shares - stock.shares_on(calendar.previous_session(listing)),
        total_shares=total_shares,
        price=None if is_bonus else to_tick(paid),
    )


def _dividend(stock: Stock, record_date: date, won: int) -> CorporateAction:
    par = int(stock.par_on(record_date))
    shares = stock.shares_on(min(record_date, LAST_SESSION))
    return CorporateAction(
        stock, "DIVIDEND", record_date, calendar.previous_session(record_date), None, None, par, par, 0, shares,
        price=won,
    )  # fmt: skip


def _split_off(stock: Stock) -> CorporateAction:
    par = int(stock.par)
    return CorporateAction(
        stock, "SPLIT_OFF", calendar.previous_session(SPLIT_OFF), SPLIT_OFF, SPLIT_OFF, None, par, par,
        stock.shares, stock.shares,
    )  # fmt: skip
