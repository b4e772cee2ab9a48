"""What customers are worth: how lately, often and for how much; what is to come; the wallet."""
