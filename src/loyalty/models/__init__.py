"""Models: what a client will do, with a baseline always beside it."""
