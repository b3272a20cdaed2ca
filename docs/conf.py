"""Settings of the documentation site: ``make docs``."""

project = "tiktok-middleware"
author = "The tiktok-middleware authors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "tiktok-middleware"
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
