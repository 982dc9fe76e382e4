"""Models: what a client will do, learned from the features."""
