"""The page type of the Wagtail site."""
