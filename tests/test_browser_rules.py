"""TIKTOK_BROWSER_RULES: valid rules are read, and an invalid one stops the start with its name."""

from __future__ import annotations

import json

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
    "form:has(> input:not([type=hidden])):is(.a, .b)",
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
    ":has(:has(a))",
    "a[href='x\ny']",
    "</script>",
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


#: Browsers forgive the inner part, which then matches nothing.
@pytest.mark.parametrize("selector", [":has(:is(a, b:has(c)))", "a\\", ":is(:hovered)"])
def test_selector_with_a_part_that_browsers_ignore_is_refused(selector: str) -> None:
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
        ("a click Contact\nb click Lead", "in the rule 'a click Contact\\nb click Lead' a semicolon is missing"),
        ("a click Contact b submit Lead", "a semicolon is missing before the next rule"),
        ("form#lead input FormStart\nform#lead submit Lead", "a semicolon is missing before the next rule"),
        ("form, a click Contact,\nb click Lead", "a semicolon is missing before the next rule"),
        ("a CLICK Contact", "has 'CLICK' where one of click, submit, input stands"),
        ("a click Con;tact", "the rule 'tact' has 1 of its three parts"),
        ("click Contact", "the rule 'click Contact' has 2 of its three parts"),
        (":has(:has(a)) click Contact", ":has is not allowed inside :has"),
        ("a\0 click Contact", "has control characters"),
        ("a click " + "x" * 51, "is longer than 50 characters"),
        ("#1 click Contact; * click Lead", "the selector of the rule '#1 click Contact' is invalid: '#1' is no id"),
        ('a[title="x] click Contact', "a quote is open in"),
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


@pytest.mark.parametrize(
    ("text", "selectors"),
    [
        ("* click Contact", ["*"]),
        ("a:has(> img) click Contact", ["a:has(> img)"]),
        ("""a[title="x;y; z"] click Contact""", ["""a[title="x;y; z"]"""]),
        (r"""a[title='x\';y'] click Contact""", [r"""a[title='x\';y']"""]),
        (r"a\; b click Contact", [r"a\; b"]),
        ("a[data-x='</script>'] click Contact", ["a[data-x='</script>']"]),
        ("a[title='click me\\'; submit '] click Contact", ["a[title='click me\\'; submit ']"]),
        ("form#lead,\n  form#more submit Lead", ["form#lead,\n  form#more"]),
        ("form input click Contact", ["form input"]),
        ("form input input FormStart", ["form input"]),
        (".click click Contact; #submit submit Lead", [".click", "#submit"]),
        (f"{'a' * 8000} click Contact", ["a" * 8000]),
        ("#a click Contact; #a submit Lead; #a input FormStart", ["#a", "#a", "#a"]),
        ("#a click Contact; #a click Lead", ["#a", "#a"]),
    ],
)
def test_unusual_selector_is_one_rule_and_safe_in_the_helper(text: str, selectors: list[str]) -> None:
    client = Client(Config(pixel_id="A", browser_rules=text, outbox="memory://"))
    assert [rule.selector for rule in client.config.rules] == selectors
    helper = client.runtime.snippet.helper.decode("ascii")
    line = helper.splitlines()[0]
    settings = json.loads(line[line.index("=") + 1 : line.rindex(")")])
    assert [rule[0] for rule in settings["r"]] == selectors
    client.close(1)


def test_invalid_event_name_is_named() -> None:
    with pytest.raises(ConfigError, match=r"TIKTOK_BROWSER_RULES is 'a click jane@shop\.example'"):
        Client(Config(pixel_id="A", browser_rules="a click jane@shop.example", outbox="memory://"))
