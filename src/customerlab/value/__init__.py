"""What a customer is worth: how recent, how often, how much; what is to come; what lies elsewhere."""
