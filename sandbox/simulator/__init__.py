"""The vendor simulator: an invented market behind the vendors' own interfaces. Everything in it is sample data."""
