"""The speaking ring: plain JavaScript that pages run, read from these files as it stands."""
