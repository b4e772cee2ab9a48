"""Which customers are real, who will leave and when: the functions behind the notebooks."""
