"""What keeps the warehouse running."""
