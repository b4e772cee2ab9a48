"""Whom a campaign truly moves, and whether it is worth the money."""
