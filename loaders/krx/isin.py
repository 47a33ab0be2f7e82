"""The exchange's rule for the ISIN of a common stock or fund."""

import re

CERTAIN = re.compile(r"[0-8][0-9]{3}[0-9A-Z]0")


def isin_of_common_stock(code: str) -> str | None:
    """ISIN of a short code that ends in 0: KR7, the code, issue 00 and a check digit.

    Held for every such code of the portal's lists (2,389 listed in 2021, 467 funds, 1,784 delisted). Codes that begin with 9
    are foreign issuers with the ISIN of another country, and those of preferred shares do not hold their code: None.
    """
    if not CERTAIN.fullmatch(code):
        return None
    body = f"KR7{code}00"
    return body + _check_digit(body)


def _check_digit(body: str) -> str:
    """Luhn's digit, letters counted as 10 to 35 (ISO 6166)."""
    digits = "".join(str(int(character, 36)) for character in body)
    doubled = (int(digit) * (2 - position % 2) for position, digit in enumerate(reversed(digits)))
    return str(-sum(number // 10 + number % 10 for number in doubled) % 10)
