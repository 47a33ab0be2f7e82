"""The weekly quality report: one HTML page that needs no network. What it says is said by views of the schema quality."""
