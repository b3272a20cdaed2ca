"""Documents as the reference parser has them, with our script taken out again."""

from __future__ import annotations

import warnings
from typing import Any

import html5lib

#: What the tests put where a script of ours would stand.
SCRIPT = b"<script data-x></script>"


def parsed(document: bytes) -> Any:
    """The tree, as a browser with scripting makes it."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("dom"), namespaceHTMLElements=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parser.parse(document, scripting=True, override_encoding="utf-8")


def without_ours(node: Any) -> list[str]:
    """Takes our script out of the tree; the names of the elements it stood in."""
    found = []
    for child in list(node.childNodes):
        if child.nodeType == child.ELEMENT_NODE and child.tagName == "script" and child.hasAttribute("data-x"):
            node.removeChild(child)
            found.append(node.nodeName)
        else:
            found += without_ours(child)
    node.normalize()
    return found


def outline(node: Any) -> Any:
    """A node and all below it as plain values."""
    attributes = sorted(node.attributes.items()) if node.attributes else []
    return node.nodeName, node.nodeValue, attributes, [outline(child) for child in node.childNodes]
