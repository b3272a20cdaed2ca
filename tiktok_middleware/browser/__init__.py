"""The JavaScript that pages run: readable sources, and in ``built`` what pages get."""
