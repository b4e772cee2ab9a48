"""The response model: whom a contact sells to, and from which chance on it pays."""
