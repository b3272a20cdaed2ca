"""Each consent platform as a site would configure it: its setting here, its own code in the page, and its own buttons."""

from __future__ import annotations

import json

from tests.consent_platforms.markup import (
    BUTTONS,
    C15T,
    COOKIE_BANNER,
    COOKIECONSENT,
    COOKIEYES,
    DJANGO,
    FLASK_CONSENT,
    GOOGLE,
    GPP_TCF,
    GPP_US,
    KLARO,
    KLARO_BUTTONS,
    OREJIME,
    TARTEAUCITRON,
    TCF_COOKIE,
    TCF_OLD_COOKIE,
    TCF_STORE,
    VANILLA,
    VANILLA2,
    VANILLA3,
    VANILLA3_BUTTONS,
    WAGTAIL,
    script,
)
from tests.consent_platforms.platform import Buttons, Platform

__all__ = ["OPT_OUT", "PLATFORMS", "Platform", "page"]

PLATFORMS: tuple[Platform, ...] = (
    Platform(
        "klaro", "klaro 0.7.22", "klaro:tiktok-pixel", KLARO % "" + script("klaro/dist/klaro.js"),
        KLARO_BUTTONS, is_quick=True,
    ),
    Platform(
        "klaro, other cookie name", "klaro 0.7.22", "klaro:tiktok-pixel@choices",
        KLARO % "storageName: 'choices'," + script("klaro/dist/klaro.js"), KLARO_BUTTONS,
    ),
    Platform(
        "klaro in localStorage", "klaro 0.7.22", "bridge:klaro:tiktok-pixel",
        KLARO % "storageMethod: 'localStorage'," + script("klaro/dist/klaro.js"), KLARO_BUTTONS, has_revision=True,
    ),
    Platform(
        "tarteaucitron", "tarteaucitronjs 1.34.0", "tarteaucitron",
        script("tarteaucitronjs/tarteaucitron.js") + TARTEAUCITRON % ("tarteaucitron", "wait", "true"),
        Buttons(
            # What its two buttons call; they hear clicks a while after they are shown.
            "js:tarteaucitron.userInterface.respondAll(true)", "js:tarteaucitron.userInterface.respondAll(false)",
            "js:tarteaucitron.userInterface.respond(document.getElementById('etrackerAllowed'), true);"
            "tarteaucitron.userInterface.respond(document.getElementById('tiktokDenied'), false)",
            "js:tarteaucitron.userInterface.respondAll(true)", "js:tarteaucitron.userInterface.respondAll(false)",
        ), is_quick=True, ready="/!tiktok=.*!etracker=|!etracker=.*!tiktok=/.test(document.cookie)",
    ),
    Platform(
        "vanilla-cookieconsent 3", "vanilla-cookieconsent 3.1.0", "cc_cookie:marketing",
        script("vanilla-cookieconsent3/dist/cookieconsent.umd.js")
        + VANILLA % ("vanilla-cookieconsent3/dist/cookieconsent", VANILLA3 % ""),
        VANILLA3_BUTTONS, is_quick=True, renewed_setting="cc_cookie:marketing,revision=2",
    ),
    Platform(
        "vanilla-cookieconsent 3 in localStorage", "vanilla-cookieconsent 3.1.0", "bridge:cc_cookie:marketing",
        script("vanilla-cookieconsent3/dist/cookieconsent.umd.js")
        + VANILLA % ("vanilla-cookieconsent3/dist/cookieconsent", VANILLA3 % "cookie: {useLocalStorage: true},"),
        VANILLA3_BUTTONS, has_revision=True,
    ),
    Platform(
        "vanilla-cookieconsent 2", "vanilla-cookieconsent 2.9.2", "cc_cookie:marketing",
        script("vanilla-cookieconsent2/dist/cookieconsent.js")
        + VANILLA % ("vanilla-cookieconsent2/dist/cookieconsent", VANILLA2 % ""),
        Buttons("#c-p-bn", "#c-s-bn", "js:cc.accept(['analytics']); cc.hide()", "js:cc.accept('all')", "js:cc.accept([])"),
        renewed_setting="cc_cookie:marketing,revision=2",
    ),
    Platform("TCF, cookie", "@iabtcf/cmpapi 1.5.6", "tcf", TCF_COOKIE, BUTTONS, is_quick=True),
    Platform("TCF, cookie without disclosed vendors", "@iabtcf/cmpapi 1.5.6", "tcf", TCF_OLD_COOKIE, BUTTONS),
    Platform("TCF, page only", "@iabtcf/cmpapi 1.5.6", "tcf", TCF_STORE, BUTTONS),
    Platform("TCF bridge", "@iabtcf/cmpapi 1.5.6", "bridge:sourcepoint", TCF_STORE, BUTTONS),
    Platform(
        "Google Consent Mode", "gtag's data layer", "bridge:google",
        GOOGLE % "if (kept) update(...JSON.parse(kept));", BUTTONS,
    ),
    Platform(
        "Google Consent Mode, denied on load", "gtag's data layer", "bridge:google",
        GOOGLE % "if (kept) update(...JSON.parse(kept)); else update('denied', 'denied');", BUTTONS,
    ),
    Platform(
        "Google Consent Mode, late", "gtag's data layer", "bridge:google",
        GOOGLE % "if (kept) setTimeout(() => update(...JSON.parse(localStorage.getItem('choice'))), 1500);", BUTTONS,
    ),
    Platform(
        "orejime", "orejime 3.2.1", "orejime:tiktok", OREJIME % "" + script("orejime/dist/orejime-standard-en.js"),
        Buttons(
            ".orejime-Banner-saveButton", ".orejime-Banner-declineButton",
            "js:orejime.manager.setConsents({stats: true, tiktok: false})",
            "js:orejime.manager.acceptAll()", "js:orejime.manager.declineAll()",
        ),
    ),
    Platform(
        "django-cookie-consent", "django-cookie-consent 1.0.0", "django:marketing", "", DJANGO,
        site="django", asks_server=True, has_revision=True,
        variables=(("PACKAGE", "django-cookie-consent"),),
    ),
    Platform(
        "django-cookie-consent, groups without cookies", "django-cookie-consent 1.0.0", "django:marketing", "", DJANGO,
        site="django", asks_server=True, variables=(("PACKAGE", "django-cookie-consent"), ("GROUPS", "empty")),
    ),
    Platform(
        "wagtail-cookies-consent", "wagtail-cookies-consent 0.1.7", "django:marketing", "", WAGTAIL,
        site="django", asks_server=True, has_revision=True, variables=(("PACKAGE", "wagtail-cookies-consent"),),
    ),
    Platform(
        "django-cookiebanner", "django-cookiebanner 0.2.8", "cookiebanner:marketing", "", COOKIE_BANNER,
        site="django", reloads=True, variables=(("PACKAGE", "django-cookiebanner"),),
    ),
    Platform("Flask-Consent", "Flask-Consent 0.0.3", "flask_consent:marketing", "", FLASK_CONSENT, site="flask", asks_server=True),
    Platform("c15t", "c15t 2.2.1", "c15t", C15T, BUTTONS),
    Platform("CookieYes", "@cookieyes/core 0.7.0", "cookieyes", COOKIEYES, BUTTONS, renewed_setting="cookieyes:revision=new"),
    Platform(
        "GPP, section usnat", "@iabgpp/cmpapi 3.2.0", "gpp", GPP_US, BUTTONS,
        variables=(("TIKTOK_CONSENT_IMPLIED", "granted"),),
    ),
    Platform("GPP, section tcfeuv2", "@iabgpp/cmpapi 3.2.0", "gpp", GPP_TCF, BUTTONS),
    Platform(
        "cookieconsent, opt-in", "cookieconsent 3.1.1", "cookieconsent",
        script("cookieconsent/build/cookieconsent.min.js") + COOKIECONSENT % ("opt-in", ""),
        Buttons(
            ".cc-window .cc-allow", ".cc-window .cc-deny", "",
            "js:document.querySelector('.cc-window .cc-allow').click()",
            "js:document.querySelector('.cc-window .cc-deny').click()",
        ),
    ),
)  # fmt: skip

#: Banners that grant before anybody clicks.
OPT_OUT: tuple[Platform, ...] = (
    Platform(
        "tarteaucitron, granted by default", "tarteaucitronjs 1.34.0", "tarteaucitron:tiktok,opt-out",
        script("tarteaucitronjs/tarteaucitron.js") + TARTEAUCITRON % ("tarteaucitron", "true", "false"),
        Buttons("", "js:tarteaucitron.userInterface.respondAll(false)", "", "", ""),
        ready="/!tiktok=/.test(document.cookie)",
    ),
    Platform(
        "CookieYes under CCPA", "@cookieyes/core 0.7.0", "cookieyes", COOKIEYES.replace("GDPR", "CCPA"), BUTTONS,
        ready="document.getElementById('no')",
    ),
    Platform(
        "cookieconsent, opt-out", "cookieconsent 3.1.1", "cookieconsent",
        script("cookieconsent/build/cookieconsent.min.js") + COOKIECONSENT % ("opt-out", ""),
        Buttons(".cc-window .cc-allow", ".cc-window .cc-deny", "", "", ""),
        ready="window.popup",
    ),
)  # fmt: skip


def page(platform: Platform, revision: int) -> str:
    """The head of a page of this platform's site."""
    return platform.head.replace("REVISION", json.dumps(revision))
