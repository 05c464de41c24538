"""The report of an audit: one page for people who have an hour."""
