"""The stages of the page; each listens to the state, and each also stands alone in a notebook cell."""
