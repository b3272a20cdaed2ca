"""TIKTOK_BROWSER_RULES: valid rules are read, and an invalid one stops the start with its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware import Client, Config, ConfigError
from tiktok_middleware._browser_rules import read_rules
from tiktok_middleware._css_selectors import check_selector

#: Selectors that browsers accept; a Chromium test asks the browser.
VALID = [
    "a",
    "*",
    "#lead",
    "form#lead.big",
    'a[href^="tel:"]',
    "a[href^='tel:']",
    "a[href^=tel]",
    "a[href='tel:1;2']",
    'input[type="submit" i]',
    "[data-x]",
    "[ data-x = 'a]b' ]",
    "nav > a + a ~ b",
    "nav>a",
    "nav a, footer a",
    ":is(a, button):not(.off)",
    "form:has(> input[name=email])",
    "li:nth-child(2n + 1)",
    "li:nth-last-child(odd)",
    "input:checked",
    ":lang(de)",
    r".sm\:block",
    ".größe",
    "custom-button",
    "#--x",
]
INVALID = [
    "",
    "a[href",
    "a[href=tel:1]",
    "a[=x]",
    "#1",
    ".",
    "a >",
    "> a",
    "a,,b",
    "a,",
    "a::before",
    ":hovered",
    ":not()",
    ":not(a",
    "a)",
    "a{}",
    "a[href='x]",
    ":nth-child(x)",
    "$x",
    "a % b",
    "!a",
    ":is(" * 40 + "a" + ")" * 40,
]


@pytest.mark.parametrize("selector", VALID)
def test_valid_selector_is_accepted(selector: str) -> None:
    assert check_selector(selector) == ""


@pytest.mark.parametrize("selector", INVALID)
def test_invalid_selector_is_refused_with_a_reason(selector: str) -> None:
    assert check_selector(selector) != ""


@given(st.text(alphabet="a1#.[]()'\"=:>+~, *\\-^né", max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    assert isinstance(check_selector(text), str)


@pytest.mark.parametrize("character", list("[(:\"'\\,>*~ "))
def test_long_garbage_is_answered(character: str) -> None:
    assert check_selector(character * 8001) != ""


def test_rules_are_split_outside_of_quotes() -> None:
    rules = read_rules("""a[href="x;y"] click Contact;
        form#lead submit Lead ;; form#lead input FormStart;""")
    assert [tuple(rule) for rule in rules] == [
        ('a[href="x;y"]', "click", "Contact"),
        ("form#lead", "submit", "Lead"),
        ("form#lead", "input", "FormStart"),
    ]
    assert len({rule.token for rule in rules}) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a click", "the rule 'a click' has 2 of its three parts"),
        ("a hover Contact", "the rule 'a hover Contact' has 'hover' where one of click, submit, input stands"),
        ("a click Contact; b[ click Lead", "the selector of the rule 'b[ click Lead' is invalid: '[' is no attribute"),
        ("a[href='x click Contact", "a quote is open in"),
        ("a click Contact; a click Contact", "the rule 'a click Contact' is there twice"),
        ("a::after click Contact", "pseudo-elements such as ::before get no events"),
        (";".join(f"a{n} click Contact" for n in range(60)), "at most 50 rules"),
        ("a" * 9000 + " click Contact", "at most 8192 characters"),
    ],
)
def test_invalid_rule_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(pixel_id="A", browser_rules=text)
    assert message in str(caught.value)
    assert caught.value.option == "TIKTOK_BROWSER_RULES"


def test_invalid_event_name_is_named() -> None:
    with pytest.raises(ConfigError, match=r"TIKTOK_BROWSER_RULES is 'a click jane@shop\.example'"):
        Client(Config(pixel_id="A", browser_rules="a click jane@shop.example", outbox="memory://"))
