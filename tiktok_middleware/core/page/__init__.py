"""Find the script's place in a page: HTML tokens, the end of the head, content codings, Content Security Policy."""
