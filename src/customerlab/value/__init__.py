"""What customers are worth, to whom money goes first, and what they hold elsewhere."""
