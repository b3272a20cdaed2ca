"""An event in an answer before the visitor has chosen waits in the page, and goes out on both channels with the grant."""
