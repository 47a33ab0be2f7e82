"""Minute bars that add up to a day's bar to the last share and won."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from sandbox.simulator.market.hours import MINUTE
from sandbox.simulator.market.rules import to_ticks
from sandbox.simulator.market.securities import Bar

Rounding = Callable[[np.ndarray], np.ndarray]
FEWEST = 6


@dataclass(frozen=True, slots=True)
class MinuteBar:
    """Trades of one minute; `start` in KST, prices and value in won."""

    start: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int
    value: int


def spread_over(
    bar: Bar,
    starts: list[datetime],
    random: np.random.Generator,
    rounding: Rounding = to_ticks,
) -> list[MinuteBar]:
    """Minutes of a day's bar.

    Args:
        bar: of the day.
        starts: minutes of the session, the closing auction last.
        random: a generator of this day's own.
        rounding: to valid prices.

    Returns:
        Minutes with trades, oldest first. The first opens and the last closes as the day does; the extremes are
        the day's; volumes and values add up exactly, and each value lies between low and high times volume.
    """
    if bar.volume == 0:
        return []
    present = _present(bar.volume, len(starts), random)
    if len(present) < FEWEST:
        return [_whole(bar, starts[int(present[0])])]
    opens, highs, lows, closes = _path(bar, len(present), random, rounding)
    volumes = _volumes(bar, highs, lows, random)
    values = _values(bar.value, volumes, highs, lows)
    if values is None:
        return [_whole(bar, starts[int(present[0])])]
    columns = (opens, highs, lows, closes, volumes, values)
    return [
        MinuteBar(starts[minute], *numbers)
        for minute, *numbers in zip(
            present.tolist(), *(column.tolist() for column in columns), strict=True
        )
    ]


def _whole(bar: Bar, start: datetime) -> MinuteBar:
    return MinuteBar(start, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.value)


def _present(volume: int, count: int, random: np.random.Generator) -> np.ndarray:
    """Positions of the minutes with trades: the first and the last, and more the more is traded."""
    traded = random.random(count) < 1 - np.exp(-volume / count / 12)
    traded[0] = traded[-1] = True
    found = np.flatnonzero(traded)
    # a minute needs a share to trade, and room for the rest
    return found if 4 * len(found) <= volume else found[:1]


def _path(
    bar: Bar, count: int, random: np.random.Generator, rounding: Rounding
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Prices of the minutes: through the day's extremes, within them, ending in a single auction price."""
    top, bottom = random.choice(np.arange(1, count - 1), size=2, replace=False)
    anchors = sorted(((0, bar.open), (top, bar.high), (bottom, bar.low), (count - 1, bar.close)))
    line = np.interp(np.arange(count), [at for at, _ in anchors], [price for _, price in anchors])
    noise = random.normal(0, 0.06 * (bar.high - bar.low) + 1e-9, size=count)
    closes = np.clip(rounding(np.maximum(line + noise, 1)), bar.low, bar.high)
    closes[top], closes[bottom], closes[-1] = bar.high, bar.low, bar.close
    opens = np.concatenate(([bar.open], closes[:-1]))
    opens[-1] = bar.close
    highs, lows = np.maximum(opens, closes), np.minimum(opens, closes)
    wicks = random.random((2, count)) < 0.5
    wicks[:, -1] = False
    highs = np.where(wicks[0], np.minimum(rounding(highs * 1.001), bar.high), highs)
    lows = np.where(wicks[1], np.maximum(rounding(lows * 0.999), bar.low), lows)
    return opens, np.maximum(highs, np.maximum(opens, closes)), lows, closes


def _volumes(
    bar: Bar, highs: np.ndarray, lows: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Volumes that add up to the day's and whose average price is near the day's."""
    count = len(highs)
    wanted = random.lognormal(0, 0.8, size=count)
    wanted[0] *= 6
    wanted[-1] *= 12
    middles = (highs + lows) / 2
    if bar.high > bar.low:
        wanted = _tilted(wanted, (middles - bar.low) / (bar.high - bar.low), _position(bar))
    spare = bar.volume - count
    volumes = 1 + np.floor(spare * wanted / wanted.sum()).astype(np.int64)
    volumes[int(np.argmax(volumes))] += bar.volume - volumes.sum()
    _make_feasible(bar.value, volumes, highs, lows)
    return np.asarray(volumes)


def _position(bar: Bar) -> float:
    """Where the day's average price lies between low (0) and high (1)."""
    return (bar.value / bar.volume - bar.low) / (bar.high - bar.low)


def _tilted(weights: np.ndarray, positions: np.ndarray, target: float) -> np.ndarray:
    """Weights turned towards high or low prices until the mean position is the target (exponential tilting)."""
    least, most = -60.0, 60.0
    for _ in range(40):
        middle = (least + most) / 2
        turned = weights * np.exp(middle * (positions - target))
        if (turned * (positions - target)).sum() > 0:
            most = middle
        else:
            least = middle
    return np.asarray(turned)


def _make_feasible(value: int, volumes: np.ndarray, highs: np.ndarray, lows: np.ndarray) -> None:
    """Move shares between minutes, in place, until the value lies between the least and the most they can cost."""
    for _ in range(len(volumes)):
        too_dear = int((volumes * lows).sum()) - value
        too_cheap = value - int((volumes * highs).sum())
        if too_dear <= 0 and too_cheap <= 0:
            return
        edge, missing = (lows, too_dear) if too_dear > 0 else (-highs, too_cheap)
        spare = volumes > 1
        giver = int(np.argmax(np.where(spare, edge, np.iinfo(np.int64).min)))
        taker = int(np.argmin(edge))
        step = int(edge[giver] - edge[taker])
        if step <= 0:
            return
        moved = min(int(volumes[giver]) - 1, -(-missing // step))
        volumes[giver] -= moved
        volumes[taker] += moved


def _values(
    value: int, volumes: np.ndarray, highs: np.ndarray, lows: np.ndarray
) -> np.ndarray | None:
    """Values of the minutes, each within its prices, that add up; None where that cannot be."""
    least, room = volumes * lows, volumes * (highs - lows)
    missing = value - int(least.sum())
    if not 0 <= missing <= int(room.sum()):
        return None
    if missing == 0:
        return np.asarray(least)
    # in whole numbers: the cumulated share of what is missing, so that nothing is lost to rounding
    cumulated = [0]
    total_room = int(room.sum())
    running = 0
    for part in room.tolist():
        running += part
        cumulated.append(missing * running // total_room)
    return np.asarray(least + np.diff(np.array(cumulated, dtype=np.int64)))


def until(bars: list[MinuteBar], now: datetime) -> list[MinuteBar]:
    """Minutes as they stand at a moment of the session: the one that goes on has half of its trades."""
    begun = [bar for bar in bars if bar.start <= now]
    if begun and now < begun[-1].start + MINUTE:
        last = begun[-1]
        half = max(1, last.volume // 2)
        growing = replace(
            last,
            high=last.open,
            low=last.open,
            close=last.open,
            volume=half,
            value=half * last.open,
        )
        begun[-1] = growing
    return begun


def after_market(
    bar: Bar, bounds: tuple[int, int], starts: list[datetime], random: np.random.Generator
) -> list[MinuteBar]:
    """Trades after the close, in no part of the day's bar: about a thirtieth of its volume, near its close."""
    volume = int(bar.volume * random.uniform(0.01, 0.05))
    present = np.flatnonzero(random.random(len(starts)) < min(0.5, volume / len(starts) / 8))
    bars = []
    price = bar.close
    for minute in present.tolist():
        moved = random.normal(0, 0.0015, size=3)
        near = to_ticks(np.clip(price * (1 + moved), *bounds))
        prices: list[int] = [price, *np.clip(near, *bounds).tolist()]
        traded = 1 + int(volume / len(present) * random.lognormal(0, 0.7))
        value = traded * (min(prices) + max(prices)) // 2
        price = prices[-1]
        bars.append(
            MinuteBar(starts[minute], prices[0], max(prices), min(prices), price, traded, value)
        )
    return bars
