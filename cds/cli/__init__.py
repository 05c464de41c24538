"""The `psychmed` command: thin, every verb calls the house. The only part of cds that may import hooks."""
