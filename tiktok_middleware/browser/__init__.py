"""The JavaScript that pages run."""
