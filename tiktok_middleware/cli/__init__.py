"""The ``tiktok-middleware`` command, one file per subcommand group."""
