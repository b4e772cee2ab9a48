"""What customers are worth: who buys again, how often, and for how much."""
