"""What a view uses: ``request.tiktok`` and the trackers outside a request."""
