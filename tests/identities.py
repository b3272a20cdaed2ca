"""Made-up people of 25 countries, their phone numbers, and the ways that software encodes such values in addresses."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, quote_plus

import phonenumbers

__all__ = ["ENCODINGS", "REGIONS", "Person", "full_width", "handles_and_campaigns", "people"]

#: By region: given and family names in the country's script, and the same in Latin letters for addresses.
REGIONS: Mapping[str, tuple[str, str, str, str]] = {
    "US": ("Emily", "O'Brien", "emily", "obrien"),
    "GB": ("Oliver", "Smith-Jones", "oliver", "smith-jones"),
    "DE": ("Jürgen", "Müller", "juergen", "mueller"),
    "FR": ("Zoé", "Lefèvre", "zoe", "lefevre"),
    "ES": ("José", "Muñoz", "jose", "munoz"),
    "IT": ("Niccolò", "D'Angelo", "niccolo", "dangelo"),
    "BR": ("João", "Conceição", "joao", "conceicao"),
    "NL": ("Anouk", "van Dijk", "anouk", "vandijk"),
    "PL": ("Łukasz", "Wójcik", "lukasz", "wojcik"),
    "SE": ("Åsa", "Öberg", "asa", "oberg"),
    "DK": ("Søren", "Nørgård", "soren", "norgard"),
    "FI": ("Väinö", "Mäkelä", "vaino", "makela"),
    "CZ": ("Jiří", "Dvořák", "jiri", "dvorak"),
    "TR": ("Çağla", "Öztürk", "cagla", "ozturk"),
    "RU": ("Дмитрий", "Иванов", "dmitri", "ivanov"),
    "UA": ("Оксана", "Шевченко", "oksana", "shevchenko"),
    "JP": ("花子", "佐藤", "hanako", "sato"),
    "CN": ("伟", "张", "wei", "zhang"),
    "KR": ("민준", "김", "minjun", "kim"),
    "SA": ("محمد", "العتيبي", "mohammed", "alotaibi"),
    "GR": ("Γιώργος", "Παπαδόπουλος", "giorgos", "papadopoulos"),
    "IN": ("प्रिया", "शर्मा", "priya", "sharma"),
    "IL": ("נועה", "כהן", "noa", "cohen"),
    "TH": ("สมชาย", "ใจดี", "somchai", "jaidee"),
    "VN": ("Ngọc", "Nguyễn", "ngoc", "nguyen"),
}

_HOSTS = ("example.com", "mail.example.co.uk", "post.example", "gmx-mail.de", "bücher.example", "corp.example.travel")


class Person(NamedTuple):
    """One person.

    Attributes:
        region: ISO country code.
        first_name, last_name: in the country's script.
        email: the address.
        phone: international, in one of the usual ways to write it.
        national_phone: as people write it at home.
        card: a card number with its check digit.
    """

    region: str
    first_name: str
    last_name: str
    email: str
    phone: str
    national_phone: str
    card: str


def people(count: int, seed: int = 1) -> Iterator[Person]:
    """Yield people of all regions in turn."""
    dice = random.Random(seed)
    formats = phonenumbers.PhoneNumberFormat
    for index in range(count):
        region = list(REGIONS)[index % len(REGIONS)]
        first, last, given, family = REGIONS[region]
        kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
        sample = phonenumbers.example_number_for_type(region, dice.choice(kinds))
        assert sample is not None
        assert sample.national_number is not None
        sample.national_number = sample.national_number // 1000 * 1000 + dice.randrange(1000)
        glue, tail = dice.choice((".", "_", "-", "")), dice.choice(("", str(dice.randrange(1, 99)), "+news"))
        local = dice.choice((f"{given}{glue}{family}{tail}", f"{given[0]}{glue}{family}{tail}", f"{given}{tail}"))
        written = dice.choice((formats.E164, formats.INTERNATIONAL))
        yield Person(
            region,
            first,
            last,
            f"{local}@{dice.choice(_HOSTS)}",
            phonenumbers.format_number(sample, written),
            phonenumbers.format_number(sample, formats.NATIONAL),
            _card(dice),
        )


def _card(dice: random.Random) -> str:
    prefix, length = dice.choice(
        (("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("3530", 16))
    )
    body = prefix + "".join(str(dice.randrange(10)) for _ in range(length - len(prefix) - 1))
    return next(body + str(check) for check in range(10) if _is_checked(body + str(check)))


def _is_checked(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(map(int, "".join(map(str, doubled)))) % 10 == 0


def full_width(text: str) -> str:
    """Return the text as East Asian keyboards write it."""
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def _base64(text: str) -> str:
    return quote(base64.b64encode(text.encode()).decode(), safe="")


#: How a value may stand in an address.
ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "plain": lambda text: text.replace(" ", "%20").replace("#", "%23").replace("&", "%26"),
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "base64": _base64,
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "full width": lambda text: quote(full_width(text), safe=""),
}


def handles_and_campaigns(count: int, seed: int = 1) -> Iterator[str]:
    """Yield addresses that name nobody: campaigns with dates, ids of advertising systems, orders, handles, versions."""
    dice = random.Random(seed)
    makers = (_campaign, _dated, _numbered, _handled, _tracked, _versioned)
    for index in range(count):
        yield "https://shop.example" + makers[index % len(makers)](dice)


def _day(dice: random.Random) -> str:
    year, month, day = dice.randrange(2019, 2031), dice.randrange(1, 13), dice.randrange(1, 29)
    forms = (
        "{y}-{m:02}-{d:02}",
        "{d:02}.{m:02}.{y}",
        "{y}{m:02}{d:02}",
        "{d}/{m}/{y}",
        "{m:02}-{d:02}-{y}",
        "{y}.{m}.{d}",
    )
    return dice.choice(forms).format(y=year, m=month, d=day)


def _campaign(dice: random.Random) -> str:
    glue = dice.choice(("+-+", "+%7C+", "_", "+", "%20-%20", "+%2F+", "--"))
    words = [dice.choice(("TK", "DE", "Spark+Ads", "Black+Friday", "Retargeting+30d", "ABO+v2")), _day(dice)]
    dice.shuffle(words)
    return f"/?utm_source=tiktok&utm_medium=paid&utm_campaign={glue.join(words)}&utm_id={_long(dice, '17', 16)}"


def _dated(dice: random.Random) -> str:
    key = dice.choice(("daterange", "from", "checkin", "week", "q", "period"))
    return f"/stats?{key}={_day(dice)}+-+{_day(dice)}&page={dice.randrange(99)}"


def _numbered(dice: random.Random) -> str:
    key, digits = dice.choice(
        (("order_id", 16), ("sku", 13), ("item", 15), ("variant", 14), ("productId", 16), ("oid", 10))
    )
    return dice.choice(
        (
            f"/orders/{_long(dice, '4', 16)}/thanks",
            f"/p/{_long(dice, '40', 13)}",
            f"/thanks?{key}={_long(dice, '4', digits)}",
            f"/dp/B0{_long(dice, '', 8)}?t={_long(dice, '17', 13)}",
            f"/flights/{dice.randrange(100, 999)}-{dice.randrange(100, 999)}-{dice.randrange(1000, 9999)}",
        )
    )


def _handled(dice: random.Random) -> str:
    handle = "@" + dice.choice(("jane.doe", "studio.example", "anna_m", "the.real.bob", "shop.de"))
    return dice.choice(
        (
            f"/{handle}/video/{_long(dice, '7', 19)}",
            f"/?utm_content=Spark+{handle}+v{dice.randrange(9)}",
            f"/?utm_content=Spark_{handle}_v1&creator=%40{handle[1:]}",
            f"/?utm_term={handle}%7C{_day(dice)}",
        )
    )


def _tracked(dice: random.Random) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = "".join(dice.choices(letters, k=dice.randrange(20, 120)))
    return f"/?{dice.choice(('ttclid', 'gclid', 'fbclid', 'session', 'key'))}={token}&utm_id={_long(dice, '12', 17)}"


def _versioned(dice: random.Random) -> str:
    version = f"{dice.randrange(20)}.{dice.randrange(20)}.{dice.randrange(20)}"
    return dice.choice(
        (
            f"/npm/react@{version}/index.js",
            f"/npm/vue@{version}-beta.{dice.randrange(9)}.esm",
            f"/img/logo@{dice.randrange(2, 4)}x.{_long(dice, '', 6)}.png",
            f"/search?q=c%2B%2B+{dice.randrange(1000, 9999)}+{_day(dice)}",
        )
    )


def _long(dice: random.Random, prefix: str, length: int) -> str:
    return prefix + "".join(str(dice.randrange(10)) for _ in range(length - len(prefix)))
