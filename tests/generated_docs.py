"""Documentation pages that are generated from the code: ``python -m tests.generated_docs`` writes them."""

from __future__ import annotations

from pathlib import Path

from tiktok_middleware.reasons import SCOPES, Reason

DOCS = Path(__file__).parents[1] / "docs"


def reasons() -> str:
    """The page of reason codes."""
    lines = [
        "# Reason codes",
        "",
        "Whatever the package does not do is counted under one of these codes. They stand in `event.channels`, in",
        "`client.stats()`, in metrics and in logs. A code that is not expected is logged once per process, at WARNING.",
        "",
        "A counter may have a scope before its code:",
        "",
        "| Scope | What was skipped |",
        "|---|---|",
        *(f"| `{scope}` | {skipped} |" for scope, skipped in SCOPES.items()),
        "",
        "So `browser_too_large` counts browser copies that were `too_large`.",
        "",
        "| Code | Meaning | What to do |",
        "|---|---|---|",
        *(f"| `{reason}` | {reason.meaning} | {reason.advice or 'Nothing: expected.'} |" for reason in Reason),
        "",
    ]
    return "\n".join(lines)


PAGES = {"reasons.md": reasons}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
        print(f"wrote docs/{name}")
