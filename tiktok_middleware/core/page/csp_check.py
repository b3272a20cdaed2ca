"""Find which of our scripts and requests a Content Security Policy blocks, and which sources it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tiktok_middleware.core.page.csp_hosts import TIKTOK_HOSTS
from tiktok_middleware.core.page.csp_policy import CONNECT_SRC, DEFAULT_SRC, IMG_SRC, SCRIPT_SRC, Policy
from tiktok_middleware.core.page.csp_sources import NONCE, Address, SourceList

__all__ = ["Blocked", "blocked_by", "pixel_hosts"]

_ANY_NONCE = "'nonce-<random>'"
_TEXT_CHARS = 300


class Blocked(NamedTuple):
    """One directive that blocks a script or a request of ours.

    Attributes:
        needs: what it blocks: ``inline``, ``helper``, ``pixel``, ``pixel_parts`` (the scripts that TikTok's script
            loads), ``requests``, ``images``.
        directive: the directive in the policy, without the values of nonces, and cut at 300 characters; the same for
            every response of one policy.
        add: the missing directive, such as ``script-src https://analytics.tiktok.com``. If the policy has a directive
            of that name, add the sources to it and remove ``'none'``. If not, add the whole directive; it includes
            the sources of ``default-src``. Empty if adding sources does not help.
    """

    needs: tuple[str, ...]
    directive: str
    add: str

    @property
    def advice(self) -> str:
        """What the operator can do; text for the end of a sentence."""
        if self.add:
            return f"add: {self.add}"
        return "drop it, or define a Trusted Types policy named default that lets TikTok's script addresses through"


class _Load(NamedTuple):
    """A script or request that our snippet loads, and its properties."""

    need: str
    address: Address
    has_nonce: bool = False
    is_in_markup: bool = False  # "parser-inserted", in the standard's words
    is_own: bool = False


def pixel_hosts(pixel_url: str) -> dict[str, tuple[str, ...]]:
    """Return the sources that TikTok's script needs, by directive. A script on another host needs only that host.

    Args:
        pixel_url: address of the script.
    """
    pixel = Address.read(pixel_url)
    if not pixel.origin:
        return {}
    is_tiktok = pixel.host.endswith(".tiktok.com")
    hosts = tuple(dict.fromkeys((pixel.origin, *TIKTOK_HOSTS))) if is_tiktok else (pixel.origin,)
    return dict.fromkeys((SCRIPT_SRC, CONNECT_SRC, IMG_SRC), hosts)


def blocked_by(
    policies: Sequence[Policy], nonce: str, pixel_url: str, page: Address, helper_path: str
) -> tuple[Blocked, ...]:
    """Return what any policy blocks. ``nonce`` is the one in our scripts; for the rest see ``Policies.blocked``."""
    loads = _loads(pixel_url, page, helper_path)
    found: dict[Blocked, None] = {}
    for policy in policies:
        found.update(dict.fromkeys(_blocked_scripts(policy, loads[SCRIPT_SRC], page, nonce)))
        for kind in (CONNECT_SRC, IMG_SRC):
            found.update(dict.fromkeys(_blocked_data(policy, kind, loads[kind], page)))
    return tuple(found)


def _loads(pixel_url: str, page: Address, helper_path: str) -> dict[str, list[_Load]]:
    pixel = Address.read(pixel_url)
    folder = pixel.path.rpartition("/")[0]
    data = [Address.read(f"{host}/api/v2/pixel") for host in pixel_hosts(pixel_url).get(CONNECT_SRC, ())]
    return {
        SCRIPT_SRC: [
            _Load("inline", Address(), has_nonce=True, is_in_markup=True),
            _Load("helper", page._replace(path=helper_path), has_nonce=True, is_in_markup=True, is_own=True),
            _Load("pixel", pixel, has_nonce=True),
            _Load("pixel_parts", pixel._replace(path=f"{folder}/config.js")),
            _Load("pixel_parts", pixel._replace(path=f"{folder}/static/main.js")),
        ],
        CONNECT_SRC: [_Load("requests", address) for address in data],
        IMG_SRC: [_Load("images", address) for address in data],
    }


def _blocked_scripts(policy: Policy, loads: Sequence[_Load], page: Address, nonce: str) -> Iterator[Blocked]:
    if policy.forbids_scripts:
        yield Blocked(_needs(loads), _text(policy, "sandbox"), "sandbox allow-scripts")
    trusted = "require-trusted-types-for"
    if "'script'" in map(str.lower, policy.directives.get(trusted, ())):
        yield Blocked(_needs([load for load in loads if not load.is_in_markup]), _text(policy, trusted), "")
    name = policy.governing(SCRIPT_SRC)
    blocked = [load for load in loads if name and not _lets_script_run(policy.scripts, load, page, nonce)]
    if blocked:
        needs = _needs(blocked)
        sources = [_ANY_NONCE] if "inline" in needs else ["'self'"] if "helper" in needs else []
        sources += [load.address.origin for load in blocked if not load.is_in_markup]
        yield Blocked(needs, _text(policy, name), _addition(policy, SCRIPT_SRC, sources))


def _lets_script_run(sources: SourceList, load: _Load, page: Address, nonce: str) -> bool:
    """Apply https://www.w3.org/TR/CSP3/#script-pre-request, or #match-element-to-source-list for inline scripts."""
    if load.has_nonce and nonce in sources.nonces:
        return True
    if load.need == "inline":
        return sources.allows_any_inline
    if sources.is_strict_dynamic:
        return not load.is_in_markup
    return (load.is_own and sources.has_self) or sources.allows(load.address, page)


def _blocked_data(policy: Policy, kind: str, loads: Sequence[_Load], page: Address) -> Iterator[Blocked]:
    name = policy.governing(kind)
    allowed = policy.sources(kind)
    blocked = [load for load in loads if name and not allowed.allows(load.address, page)]
    if blocked:
        add = _addition(policy, kind, [load.address.origin for load in blocked])
        yield Blocked(_needs(blocked), _text(policy, name), add)


def _needs(loads: Sequence[_Load]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(load.need for load in loads))


def _text(policy: Policy, name: str) -> str:
    return _without_nonces(" ".join((name, *policy.directives[name])))[:_TEXT_CHARS]


def _addition(policy: Policy, kind: str, sources: Sequence[str]) -> str:
    name = policy.governing(kind)
    if name != DEFAULT_SRC:
        return " ".join(dict.fromkeys((name, *sources)))
    inherited = [_without_nonces(source) for source in policy.inherited(kind)]
    return " ".join(dict.fromkeys((kind, *inherited, *sources)))


def _without_nonces(text: str) -> str:
    return NONCE.sub(_ANY_NONCE, text)
