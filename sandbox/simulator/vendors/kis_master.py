"""The broker's master files as the simulator plays them: zipped rows of fixed width in bytes, CP949."""

import io
import zipfile
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from email.utils import format_datetime

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import KRX_SECTORS, Market, Security, Stock, yyyymmdd
from sandbox.simulator.stage import Stage, reply

PREFIX = "/kis-master"
MARKETS = {"kospi_code": "KOSPI", "kosdaq_code": "KOSDAQ", "konex_code": "KONEX"}
INDEX_FILE = "idxcode"
NO_SECTORS = ("0000", "0000", "0000")
GROUPS = {"주권": "ST", "외국주권": "FS", "주식예탁증권": "DR", "부동산투자회사": "RT"}
PREFERRED = {"보통주": "0", "구형우선주": "1", "신형우선주": "2"}
MANUFACTURING = ("0005", "0015")
OPENING = time(9, 0)
MADE_AT = time(8, 45)
OTHER_NAMES = (
    ("0", "0001", "종합"),
    ("0", "0027", "제조업"),
    ("2", "2001", "KOSPI200"),
    ("3", "3003", "KSQ150"),
)


def _flag(value: bool) -> str:
    return "Y" if value else "N"


def _text(value: str, width: int) -> bytes:
    """A field of text: blanks fill it up, bytes beyond it are cut."""
    return value.encode("cp949")[:width].ljust(width)


def _number(value: int, width: int) -> bytes:
    return f"{value:0{width}d}".encode()


def _session_fields(security: Security, day: date) -> list[bytes]:
    """From the base price to the flag of KRX300."""
    bar = security.bars.get(day)
    before = security.bars.get(calendar.previous_session(day))
    stock = security if isinstance(security, Stock) else None
    par = stock.par_on(day) if stock else "0"
    shares = bar.shares if bar else 0
    return [
        _number(bar.base if bar else 0, 9),
        b"0000100001",
        _flag(bool(stock and stock.is_halted(day))).encode(),
        _flag(bool(stock and stock.is_in_liquidation(day))).encode(),
        _flag(bool(stock and stock.is_administrative(day))).encode(),
        b"00NNN000000100N090",
        _number(before.volume if before else 0, 12),
        _number(int(par) if par.isdigit() else 0, 12),
        yyyymmdd(security.listed).encode(),
        _number(shares // 1000, 15),
        _number(shares * int(par) if par.isdigit() else 0, 21),
        b"12" + b" " * 7,
        PREFERRED.get(stock.kind, "9").encode() if stock else b"0",
        b" NN",
    ]


def _accounts_fields(security: Security, day: date) -> list[bytes]:
    """From sales to the market capitalisation at the previous close, in 억원."""
    before = security.bars.get(calendar.previous_session(day))
    return [
        b"0" * 9 + b"0" * 9 + b"0" * 9 + b"0" * 5 + b"000000.00" + b" " * 8,
        _number(before.market_cap // 100_000_000 if before else 0, 9),
    ]


def _row(file: str, security: Security, day: date, members: set[str]) -> bytes:
    stock = security if isinstance(security, Stock) else None
    sectors = (stock.krx_sectors_on(day) if stock else None) or NO_SECTORS
    group = GROUPS.get(security.group, "ST") if stock else "EF"
    is_member = security.code in members
    fields = [
        _text(security.code, 9),
        security.isin.encode(),
        _text(security.name_on(day), 40),
        group.encode(),
    ]
    if file != "konex_code":
        fields += [b"0" if stock else b" ", "".join(sectors).encode()]
    if file == "kospi_code":
        is_maker = MANUFACTURING[0] <= sectors[1] <= MANUFACTURING[1]
        fields += [
            _flag(is_maker).encode() + b"NN",
            b"5" if is_member else b"0",
            b"NN" + _flag(is_member).encode(),
            b" " if stock else b"2",
            b"N" * 9 + b"0" + b"NN" + b" " + b"N" * 5,
        ]
    elif file == "kosdaq_code":
        fields += [b"NN" + _flag(is_member).encode() + b" " + b"N" * 8 + b"0" + b"N" * 7]
        fields += [_flag(is_member).encode()]
    fields += _session_fields(security, day)
    if file == "kospi_code":
        fields.append(_flag(stock is not None).encode())
    fields += _accounts_fields(security, day)
    fields.append(b"NNN" if file == "konex_code" else b"   NNN")
    return b"".join(fields)


def rows(market: Market, file: str, day: date) -> list[bytes]:
    """Rows of a file on a session, without line ends."""
    if file == INDEX_FILE:
        names: Iterable[tuple[str, str, str]] = [
            *OTHER_NAMES,
            *((code[0], code, name) for code, name in KRX_SECTORS.items()),
        ]
        return [
            kind.encode() + code.encode() + _text(name, 40) for kind, code, name in sorted(names)
        ]
    board = MARKETS[file]
    securities: list[Security] = [
        stock for stock in market.listed(day) if stock.board_on(day) == board
    ]
    if board == "KOSPI":
        securities += [etf for etf in market.etfs if etf.is_listed(day)]
    index_name = {"KOSPI": "KOSPI200", "KOSDAQ": "KOSDAQ150"}.get(board)
    members = (
        {stock.code for stock in market.index_members(index_name, day)} if index_name else set()
    )
    return [_row(file, security, day, members) for security in securities]


def made_at(now: datetime) -> datetime:
    """When the newest files were made: on the morning of the last session that has opened."""
    day = now.date()
    if not calendar.is_session(day) or now.time() < OPENING:
        day = calendar.previous_session(day)
    return datetime.combine(day, MADE_AT, calendar.KST)


def archive(market: Market, file: str, made: datetime) -> bytes:
    """A file, zipped; the same bytes at every call."""
    buffer = io.BytesIO()
    member = zipfile.ZipInfo(f"{file}.mst", date_time=made.timetuple()[:6])
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr(member, b"".join(row + b"\n" for row in rows(market, file, made.date())))
    return buffer.getvalue()


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at this vendor, without a limit of rate."""
    return {
        "KIS_MASTER_BASE_URL": f"{base_url}{PREFIX}",
        "KIS_MASTER_REQUESTS_PER_MINUTE": "0",
    }


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter(prefix=PREFIX)

    @routes.get("/common/master/{file}.mst.zip")
    def ask(file: str, request: Request) -> Response:
        if file not in MARKETS and file != INDEX_FILE:
            return reply("not found", status=404)
        made = made_at(stage.now)
        return stage.answer(
            request,
            archive(stage.market, file, made),
            media_type="application/zip",
            headers={"Last-Modified": format_datetime(made.astimezone(UTC), usegmt=True)},
        )

    return routes
